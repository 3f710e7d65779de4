package graphclient_test

import (
	"strings"
	"testing"

	"github.com/muster-mfa/muster/graphclient"
)

func TestOptionsAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    graphclient.Options
		want []string
	}{
		{"no credential", graphclient.Options{}, []string{"credential"}},
		{"plain http", graphclient.Options{Endpoint: "http://graph.microsoft.com", Credential: &credential{}}, []string{"loopback"}},
		{"looks like loopback", graphclient.Options{Endpoint: "http://127.0.0.1.example"}, []string{"loopback"}},
		{"no host", graphclient.Options{Endpoint: "https://"}, []string{"host"}},
		{"no scheme", graphclient.Options{Endpoint: "graph.microsoft.com"}, []string{"endpoint"}},
		{"user", graphclient.Options{Endpoint: "https://u:p@graph.example", Credential: &credential{}}, []string{"path only"}},
		{"query", graphclient.Options{Endpoint: "https://graph.example?x", Credential: &credential{}}, []string{"path only"}},
		{"other scheme", graphclient.Options{Endpoint: "ftp://graph.example"}, []string{"ftp"}},
		{"all at once", graphclient.Options{Endpoint: "http://x.example", MaxTries: -1, Priority: "Urgent", UserAgent: "a\nb"},
			[]string{"loopback", "max tries", "Urgent", "user agent"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := graphclient.New(tt.o)
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not speak of %s", err, want)
				}
			}
		})
	}
}

func TestOptionsAreTaken(t *testing.T) {
	for _, o := range []graphclient.Options{
		{Credential: &credential{}},
		{Endpoint: "http://127.0.0.1:8080"},
		{Endpoint: "http://[::1]:8080/"},
		{Endpoint: "http://localhost:8080/graph", Credential: &credential{}},
		{Endpoint: "https://dod-graph.microsoft.us/", Credential: &credential{}, Priority: graphclient.PriorityLow},
	} {
		c, err := graphclient.New(o)
		if err != nil {
			t.Errorf("%s: %v", o.Endpoint, err)
			continue
		}
		c.Close()
	}
}

func TestClouds(t *testing.T) {
	for _, c := range graphclient.Clouds() {
		found, ok := graphclient.CloudNamed(strings.ToUpper(c.Name))
		if !ok || found != c {
			t.Errorf("%s: %+v", c.Name, found)
		}
		client, err := graphclient.New(graphclient.Options{Endpoint: c.Endpoint, Credential: &credential{}})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		client.Close()
	}
	if _, ok := graphclient.CloudNamed("germany"); ok {
		t.Error("found a cloud that has closed")
	}
}
