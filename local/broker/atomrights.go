package broker

import "slices"

// atomRights are authorization rules as the management API shows and takes them. It
// does not tell when they were made, as the tests of the Go client want it.
type atomRights struct {
	Rules []atomRight `xml:"AuthorizationRule"`
}

type atomRight struct {
	Type         instanceType `xml:"type,attr"`
	ClaimType    string       `xml:"ClaimType"`
	ClaimValue   string       `xml:"ClaimValue"`
	Rights       []string     `xml:"Rights>AccessRights"`
	KeyName      string       `xml:"KeyName"`
	PrimaryKey   string       `xml:"PrimaryKey"`
	SecondaryKey string       `xml:"SecondaryKey"`
}

const (
	rightShared = "SharedAccessAuthorizationRule"
	claimShared = "SharedAccessKey"
	claimNone   = "None"
)

type accessRight struct {
	right Rights
	name  string
}

// accessRights are the rights by their names in the management API, in its order.
var accessRights = []accessRight{{rightManageOnly, "Manage"}, {RightSend, "Send"}, {RightListen, "Listen"}}

// take reads rules; nil has none.
func (a *atomRights) take(f *atomFaults) []AuthorizationRule {
	if a == nil || len(a.Rules) == 0 {
		return nil
	}
	if len(a.Rules) > maxAuthorizationRules {
		f.add("AuthorizationRules: there are %d, the most is %d", len(a.Rules), maxAuthorizationRules)
		return nil
	}
	rules := make([]AuthorizationRule, len(a.Rules))
	for i, given := range a.Rules {
		// The Python client leaves the type out.
		if given.Type != rightShared && given.Type != "" || given.ClaimType != claimShared {
			f.add("AuthorizationRules: %q: must be a %s with the ClaimType %s", given.KeyName, rightShared, claimShared)
		}
		rules[i] = AuthorizationRule{Name: given.KeyName, PrimaryKey: given.PrimaryKey, SecondaryKey: given.SecondaryKey}
		for _, name := range given.Rights {
			at := slices.IndexFunc(accessRights, func(r accessRight) bool { return r.name == name })
			if at < 0 {
				f.add("AuthorizationRules: %q: AccessRights must be Manage, Send and Listen", given.KeyName)
				continue
			}
			rules[i].Rights |= accessRights[at].right
		}
		if len(given.Rights) == 0 {
			f.add("AuthorizationRules: %q: there must be AccessRights", given.KeyName)
		}
	}
	return rules
}

// showRights is the reverse. An entity without rules shows an empty list of them.
func showRights(rules []AuthorizationRule) *atomRights {
	shown := &atomRights{}
	for _, r := range rules {
		right := atomRight{
			Type: rightShared, ClaimType: claimShared, ClaimValue: claimNone, KeyName: r.Name,
			PrimaryKey: r.PrimaryKey, SecondaryKey: r.SecondaryKey,
		}
		for _, access := range accessRights {
			if r.Rights&access.right != 0 {
				right.Rights = append(right.Rights, access.name)
			}
		}
		shown.Rules = append(shown.Rules, right)
	}
	return shown
}
