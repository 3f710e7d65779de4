package doctor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/muster-mfa/muster/graphclient"
)

// JudgeToken judges what came of asking for a token with the kind of credential
// that --credential names.
func JudgeToken(a graphclient.Access, err error, credential string, now time.Time) []Finding {
	switch {
	case err != nil:
		return []Finding{refusedToken(err, credential)}
	case a.Application == "":
		return []Finding{{
			Check: CheckToken, Severity: Note, What: "The token can't be read, so its permissions are not known.",
			Why: "Microsoft allows itself to change what tokens look like. Whether calls work is seen below.",
		}}
	}
	kind := "app-only"
	if a.Delegated {
		kind = "delegated: it acts for the person who signed in"
	}
	findings := []Finding{good(CheckToken, "A token for tenant %s, application %s, %s, is good for %v.",
		a.Tenant, a.Application, kind, a.Expires.Sub(now).Round(time.Second))}
	if a.Delegated {
		findings = append(findings, Finding{
			Check: CheckToken, Severity: Warning, What: "The token is a person's, not the application's own.",
			Why:     "A run of hours ends when the sign-in does, and the person needs the role Authentication Administrator or, for administrators' methods, Privileged Authentication Administrator.",
			Portal:  credentialsPath,
			Command: "muster worker --credential certificate --certificate-file FILE …",
		})
	}
	return findings
}

// remedy is how something is mended.
type remedy struct{ why, portal, command string }

const credentialsPath = "Entra admin centre > App registrations > the application > Certificates & secrets"

// byCode are the remedies of the token service's errors.
var byCode = map[string]remedy{
	"AADSTS7000215": {"The secret that was sent is none of the application's: it is the secret's value that counts, not its id, and it is shown once, when the secret is made.", credentialsPath, newSecret},
	"AADSTS7000222": {"", credentialsPath, newSecret},
	"AADSTS700027":  {"", credentialsPath, newCertificate},
	"AADSTS1000502": {"", credentialsPath, newCertificate},
	"AADSTS700024":  {"The clock of this machine may be wrong, or the token in --federated-token-file is old.", "", "timedatectl set-ntp true (on Windows: w32tm /resync)"},
	"AADSTS700016": {
		"It takes the application (client) id, not the object id, and the application has to be in this tenant: in another one than its home it is there once an administrator has consented.",
		"Entra admin centre > App registrations > the application > Overview; for another tenant, its administrator opens https://login.microsoftonline.com/TENANT/adminconsent?client_id=APPLICATION-ID", "az ad sp create --id APPLICATION-ID",
	},
	"AADSTS7000229": {"The application has no enterprise application in this tenant.", "Entra admin centre > App registrations > the application > Overview > Managed application in local directory > Create", "az ad sp create --id APPLICATION-ID"},
	"AADSTS7000112": {"", "Entra admin centre > Enterprise applications > the application > Properties > Enabled for users to sign-in", "az ad sp update --id APPLICATION-ID --set accountEnabled=true"},
	"AADSTS7000218": {"A person signs in to a public client.", "Entra admin centre > App registrations > the application > Authentication > Allow public client flows", "az ad app update --id APPLICATION-ID --is-fallback-public-client true"},
	"AADSTS700211":  federated, "AADSTS700212": federated, "AADSTS700213": federated, "AADSTS50027": federated,
	"AADSTS65001":  {"Nobody has consented to what the application asks for.", "Entra admin centre > App registrations > the application > API permissions > Grant admin consent", "az ad app permission admin-consent --id APPLICATION-ID"},
	"AADSTS90002":  {"The tenant's id or domain is misspelt, or the tenant is in another cloud (--cloud).", "Entra admin centre > Overview > Tenant ID", "az account show --query tenantId -o tsv"},
	"AADSTS500011": {"--graph, --cloud and --authority do not belong together: the token service knows no API at that address.", "Microsoft Graph documentation > National cloud deployments, for the addresses", "muster doctor --cloud usgov (or dod, china, global), without --graph and --authority"},
	"AADSTS50049":  {"Microsoft's token service does not vouch for that host.", "Microsoft Graph documentation > National cloud deployments, for the addresses", "muster doctor --cloud usgov (or dod, china, global), without --authority"},
	"AADSTS53003":  {"", "Entra admin centre > Protection > Conditional Access > Policies, and Monitoring & health > Sign-in logs for the policy that blocks", "az rest --url https://graph.microsoft.com/v1.0/identity/conditionalAccess/policies"},
	"AADSTS50034":  {"", "Entra admin centre > Users", "az ad user list --filter \"startswith(userPrincipalName,'NAME')\""},
}

const (
	newSecret      = "az ad app credential reset --id APPLICATION-ID --append --years 1"
	newCertificate = "az ad app credential reset --id APPLICATION-ID --append --cert @certificate.pem"
)

var federated = remedy{
	"The application trusts tokens of one issuer for one subject and audience, each letter for letter; a service account is system:serviceaccount:NAMESPACE:NAME.",
	credentialsPath + " > Federated credentials", "az ad app federated-credential list --id APPLICATION-ID",
}

// byCredential are the remedies where the token service was not even asked, or
// gave no code.
var byCredential = map[string]remedy{
	"client-secret":     {"", credentialsPath, newSecret},
	"certificate":       {"Muster takes an RSA key with its certificate in one file, PEM or PFX, and the application has to know that certificate.", credentialsPath, "openssl x509 -in FILE -noout -subject -dates (of a PFX: openssl pkcs12 -in FILE -info -nokeys) shows what the file holds"},
	"workload-identity": {"The file with the token (--federated-token-file or AZURE_FEDERATED_TOKEN_FILE) is there only in a pod with the label azure.workload.identity/use and an annotated service account.", credentialsPath + " > Federated credentials", "kubectl describe pod POD"},
	"managed-identity":  {"Only a machine of Azure has one, once it is turned on; a user-assigned one is chosen by --client-id.", "Azure portal > the machine, app or cluster > Identity", "az identity list --query \"[].{name:name,clientId:clientId}\""},
	"device-code":       {"Somebody has to open the address that was printed and enter the code, within 15 minutes.", "Entra admin centre > App registrations > the application > Authentication > Allow public client flows", "az ad app update --id APPLICATION-ID --is-fallback-public-client true"},
	"azure-cli":         {"The Azure CLI is asked: it has to be installed and signed in to this tenant.", "", "az login --tenant TENANT"},
	"default":           {"Without --credential Muster takes what the environment offers: the variables AZURE_…, a workload or managed identity, or the Azure CLI.", "", "az login, or muster doctor --credential client-secret --tenant-id TENANT --client-id APPLICATION-ID"},
}

// Untrusted is implemented by a credential's error for a token service whose
// certificate is signed by nobody that is trusted.
type Untrusted interface{ Untrusted() }

// refusedToken judges why there is no token.
func refusedToken(err error, credential string) Finding {
	f := Finding{Check: CheckToken, Severity: Error, What: "There is no token: " + tokenText(err), Why: "Without a token every call fails; the worker pauses the tenant and waits."}
	e, ok := errors.AsType[*graphclient.Error](err)
	var untrusted Untrusted
	switch {
	case errors.As(err, &untrusted):
		f.Why += " A proxy that looks into TLS signs with an authority of its own: trust that one."
		f.Command = "muster doctor --ca-file authority.pem …"
		return f
	case errors.Is(err, context.DeadlineExceeded):
		f.What = "There is no token: it did not come within --timeout."
		f.Why = "The token service did not answer, or nobody has entered the device code yet."
		f.Command = "muster doctor --timeout 5m …"
		return f
	case ok && e.Kind == graphclient.KindTransient:
		f.Why = "The token service was not reached or is busy: check the network, the proxy (HTTPS_PROXY), --authority and --ca-file, and try again."
		f.Command = "curl -sSI https://login.microsoftonline.com (or the address of --authority)"
		return f
	}
	r, known := remedy{}, false
	if ok {
		r, known = byCode[e.Code]
		if !known && e.Code != "" {
			r, known = remedy{"", credentialsPath, "https://login.microsoftonline.com/error?code=" + strings.TrimPrefix(e.Code, "AADSTS") + " explains the code"}, true
		}
	}
	if !known {
		r = byCredential[credential]
	}
	return f.with(r)
}

// JudgeCredential judges why a credential could not even be made.
func JudgeCredential(err error, credential string) Finding {
	f := Finding{Check: CheckCredential, Severity: Error, What: "The credential can't be used: " + sentence(err), Why: "Without a credential there is no token, and a worker does not start."}
	return f.with(byCredential[credential])
}

func (f Finding) with(r remedy) Finding {
	if r.why != "" {
		f.Why += " " + r.why
	}
	f.Portal, f.Command = r.portal, r.command
	return f
}

// tokenText is why there is no token, without what graphclient says around it.
func tokenText(err error) string {
	if e, ok := errors.AsType[*graphclient.Error](err); ok && e.Unwrap() != nil {
		err = e.Unwrap()
	}
	return strings.TrimPrefix(sentence(err), "get token: ")
}

// sentence ends an error's text as a sentence.
func sentence(err error) string { return strings.TrimRight(err.Error(), ". ") + "." }
