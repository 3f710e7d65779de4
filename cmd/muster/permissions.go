package main

// everyPermission lists the application permissions with which all that Muster
// does is allowed.
func everyPermission() []string {
	return []string{
		"User.Read.All", "UserAuthMethod-Phone.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All",
		"UserAuthMethod-MicrosoftAuthApp.ReadWrite.All", "Policy.Read.All", "Policy.ReadWrite.AuthenticationMethod",
		"AuditLog.Read.All", "Application.Read.All",
	}
}
