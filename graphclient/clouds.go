package graphclient

import (
	"net/url"
	"strings"
)

// Cloud is one of the separate clouds in which Microsoft runs Graph. Tokens of
// one are worthless in another.
type Cloud struct {
	// Name is what Muster calls it: global, usgov, dod or china.
	Name string
	// Endpoint is Graph's address, for [Options].Endpoint.
	Endpoint string
	// Authority is the address of the token service, for the credential.
	Authority string
	// SMSSignIn tells whether its Graph has the actions enableSmsSignIn and
	// disableSmsSignIn.
	SMSSignIn bool
}

// Clouds lists the clouds (Microsoft Graph documentation, "National cloud
// deployments"). The first is the one that Options uses by default. The model
// of the one in China (v1.0-Mooncake.csdl) has no SMS sign-in actions.
func Clouds() []Cloud {
	return []Cloud{
		{Name: "global", Endpoint: "https://graph.microsoft.com", Authority: "https://login.microsoftonline.com", SMSSignIn: true},
		{Name: "usgov", Endpoint: "https://graph.microsoft.us", Authority: "https://login.microsoftonline.us", SMSSignIn: true},
		{Name: "dod", Endpoint: "https://dod-graph.microsoft.us", Authority: "https://login.microsoftonline.us", SMSSignIn: true},
		{Name: "china", Endpoint: "https://microsoftgraph.chinacloudapi.cn", Authority: "https://login.chinacloudapi.cn"},
	}
}

// CloudNamed finds a cloud by its name, in any letter case.
func CloudNamed(name string) (Cloud, bool) {
	for _, c := range Clouds() {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Cloud{}, false
}

// hasSMSSignIn tells whether the Graph at endpoint has the SMS sign-in actions.
// An endpoint that is no known cloud is taken to have them.
func hasSMSSignIn(endpoint *url.URL) bool {
	for _, c := range Clouds() {
		if strings.EqualFold(c.Endpoint, endpoint.Scheme+"://"+endpoint.Host) {
			return c.SMSSignIn
		}
	}
	return true
}
