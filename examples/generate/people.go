package main

import (
	"fmt"
	"strings"
)

// user is a line of directory.jsonl, in the form of local/tenant's users file.
type user struct {
	ID               string          `json:"id,omitempty"`
	Name             string          `json:"userPrincipalName"`
	DisplayName      string          `json:"displayName"`
	UserType         string          `json:"userType,omitempty"`
	Synchronised     *bool           `json:"onPremisesSyncEnabled,omitempty"`
	Phones           phones          `json:"phones,omitzero"`
	SMSSignIn        bool            `json:"smsSignIn,omitempty"`
	SMSSignInAllowed bool            `json:"smsSignInAllowed,omitempty"`
	State            string          `json:"perUserMfaState,omitempty"`
	Default          string          `json:"defaultMethod,omitempty"`
	Authenticator    []authenticator `json:"authenticator,omitempty"`
}

type phones struct {
	Mobile    string `json:"mobile,omitempty"`
	Alternate string `json:"alternateMobile,omitempty"`
	Office    string `json:"office,omitempty"`
}

type authenticator struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Created     string `json:"createdDateTime"`
	Tag         string `json:"deviceTag"`
	Version     string `json:"phoneAppVersion"`
}

var (
	givenNames = strings.Fields("Ada Ben Clara Daan Elif Finn Greta Hugo Ines Jonas Katja Liam Mila Noor Otto Pia Quinn Rosa Sven Tess Umar Vera Wout Xenia Yara Zeno")
	surnames   = strings.Fields("Abel Bakker Costa Dupont Eriksen Fischer Garcia Hansen Ivanova Jansen Kowalski Lindqvist Meyer Novak Okafor Petrov Quist Rossi Silva Tanaka Urban Visser Weber Yilmaz Zhang")
)

// person makes the next person, who is in the directory already where known
// says so.
func (d *demo) person(known bool) *user {
	n := d.people
	d.people++
	given, surname := givenNames[n%len(givenNames)], surnames[n*7%len(surnames)]
	u := &user{
		Name:        fmt.Sprintf("%s.%s%d@contoso.example", strings.ToLower(given), strings.ToLower(surname), n+100),
		DisplayName: given + " " + surname,
	}
	if known {
		d.users = append(d.users, u)
		if d.source.IntN(4) == 0 {
			u.Synchronised = new(true)
		}
	}
	return u
}

// guest makes a person of a partner, whose name holds a number sign.
func (d *demo) guest() *user {
	u := d.person(true)
	u.UserType = "Guest"
	u.Name = strings.Replace(u.Name, "@contoso.example", "_partner.example#EXT#@contoso.example", 1)
	return u
}

// withAuthenticator registers Microsoft Authenticator and makes it the default.
func (d *demo) withAuthenticator(u *user) *user {
	n := d.people
	u.Default = "push"
	u.Authenticator = []authenticator{{
		ID:          guid("4a7b", n),
		DisplayName: "Phone of " + u.DisplayName,
		Created:     fmt.Sprintf("2026-%02d-%02dT08:30:00Z", 1+n%9, 1+n%28),
		Tag:         "SoftwareTokenActivated",
		Version:     fmt.Sprintf("6.2408.%d", 1000+n),
	}}
	return u
}

// guid makes an id that is plainly invented.
func guid(kind string, n int) string { return fmt.Sprintf("00000000-%s-4000-8000-%012d", kind, n) }
