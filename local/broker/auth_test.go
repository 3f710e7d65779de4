package broker_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
)

// sendOnce sends a message to the queue with the connection string and returns
// the error. It fails the test if the answer takes so long that the client
// must have tried again.
func sendOnce(t *testing.T, connectionString, queue string) error {
	t.Helper()
	sender, err := connectTo(t, connectionString, nil).NewSender(queue, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	err = sender.SendMessage(deadline(t), &azservicebus.Message{Body: []byte("x")}, nil)
	if took := time.Since(before); took > 3*time.Second {
		t.Errorf("the answer took %v", took)
	}
	return err
}

func TestUnknownQueue(t *testing.T) {
	s := start(t, oneQueue)
	wantCode(t, sendOnce(t, s.ConnectionString(), "no-such-queue"), azservicebus.CodeNotFound)
}

func TestKeys(t *testing.T) {
	s := start(t, broker.Options{
		Queues: oneQueue.Queues,
		Keys:   []broker.Key{{Name: "RootManageSharedAccessKey", Value: "first"}, {Name: "second", Value: "other/+=key"}},
	})
	good := s.ConnectionString()
	tests := []struct {
		name, connectionString string
		ok                     bool
	}{
		{"as given", good, true},
		{"second key", strings.Replace(strings.Replace(good, "Key=first", "Key=other/+=key", 1), "RootManageSharedAccessKey", "second", 1), true},
		{"wrong key", strings.Replace(good, "Key=first", "Key=wrong", 1), false},
		{"key of another name", strings.Replace(good, "RootManageSharedAccessKey", "second", 1), false},
		{"unknown name", strings.Replace(good, "RootManageSharedAccessKey", "third", 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := sendOnce(t, tt.connectionString, "q")
			if tt.ok && err != nil {
				t.Errorf("send: %v", err)
			}
			if !tt.ok {
				wantCode(t, err, azservicebus.CodeUnauthorizedAccess)
			}
		})
	}
}

// signature makes a shared access signature as the documentation describes it.
func signature(resource, keyName, key string, expires time.Time) string {
	sr, se := url.QueryEscape(resource), fmt.Sprint(expires.Unix())
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(sr + "\n" + se))
	sig := url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return fmt.Sprintf("SharedAccessSignature sr=%s&sig=%s&se=%s&skn=%s", sr, sig, se, keyName)
}

func TestSharedAccessSignatures(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q"}, {Name: "queue"}, {Name: "other"}}})
	endpoint, _, _ := strings.Cut(s.ConnectionString(), ";")
	host := strings.TrimPrefix(endpoint, "Endpoint=")
	const name, key = "RootManageSharedAccessKey", "SAS_KEY_VALUE"
	hour := time.Now().Add(time.Hour)
	good := signature(host+"/q", name, key, hour)
	tests := []struct {
		name, token string
		text        string // of the refusal; empty means that the token is good
	}{
		{"queue", good, ""},
		{"namespace", signature(host+"/", name, key, hour), ""},
		{"queue without a scheme", signature(strings.TrimPrefix(host, "sb://")+"/q", name, key, hour), ""},
		{"namespace without a scheme", signature(strings.TrimPrefix(host, "sb://"), name, key, hour), ""},
		{"other queue without a scheme", signature(strings.TrimPrefix(host, "sb://")+"/other", name, key, hour), "InvalidAudience"},
		{"other case", signature(strings.ToUpper(host+"/q"), name, key, hour), ""},
		{"other queue", signature(host+"/other", name, key, hour), "InvalidAudience"},
		{"queue with the same start", signature(host+"/queue", name, key, hour), "InvalidAudience"},
		{"expired", signature(host+"/q", name, key, time.Now().Add(-time.Minute)), "ExpiredToken: The token is expired. Expiration time:"},
		{"wrong key", signature(host+"/q", name, "wrong", hour), "InvalidSignature"},
		{"longer life than signed", strings.Replace(good, "&se=1", "&se=2", 1), "InvalidSignature"},
		{"no expiry", strings.Replace(good, "&se=", "&xx=", 1), "MalformedToken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			connectionString := endpoint + ";SharedAccessSignature=" + tt.token + ";UseDevelopmentEmulator=true"
			err := sendOnce(t, connectionString, "q")
			switch {
			case tt.text == "" && err != nil:
				t.Errorf("send: %v", err)
			case tt.text != "":
				wantCode(t, err, azservicebus.CodeUnauthorizedAccess)
				if err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error %q does not say %q", err, tt.text)
				}
			}
		})
	}
}
