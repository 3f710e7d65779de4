package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Errors of tokens. Their texts go to the peer and are those of Service Bus,
// up to what follows the first word.
var (
	errTokenMalformed = errors.New("MalformedToken: The token is malformed.")
	errTokenSignature = errors.New("InvalidSignature: The token has an invalid signature.")
	errTokenAudience  = errors.New("InvalidAudience: The token's resource does not cover the audience.")
)

// tokenExpiredError says when a token expired.
type tokenExpiredError struct{ at time.Time }

func (e tokenExpiredError) Error() string {
	return fmt.Sprintf("ExpiredToken: The token is expired. Expiration time: %s.", e.at.UTC().Format(time.RFC1123))
}

// sasPrefix starts every shared access signature.
const sasPrefix = "SharedAccessSignature "

// checkToken checks a shared access signature for an audience and returns what it
// allows. Its form is sr=resource&sig=signature&se=expiry&skn=key name, in
// any order and URL-encoded; what is signed is the encoded resource, a newline
// and the expiry in Unix seconds (Service Bus: access control with shared
// access signatures).
func (s *Server) checkToken(token, audience string) (grant, error) {
	fields, ok := strings.CutPrefix(token, sasPrefix)
	if !ok {
		return grant{}, errTokenMalformed
	}
	raw := make(map[string]string, 4)
	for _, field := range strings.Split(fields, "&") {
		name, value, _ := strings.Cut(field, "=")
		raw[name] = value
	}
	resource, err := url.QueryUnescape(raw["sr"])
	if err != nil {
		return grant{}, errTokenMalformed
	}
	keyName, err := url.QueryUnescape(raw["skn"])
	if err != nil {
		return grant{}, errTokenMalformed
	}
	seconds, err := strconv.ParseInt(raw["se"], 10, 64)
	if err != nil {
		return grant{}, errTokenMalformed
	}
	key := signer(s.credentials(keyName, parseAddress(audience)), raw["sr"]+"\n"+raw["se"], raw["sig"])
	if key == nil {
		return grant{}, errTokenSignature
	}
	expires := time.Unix(seconds, 0)
	switch {
	case !s.options.Now().Before(expires):
		return grant{}, tokenExpiredError{expires}
	case !parseAddress(audience).covers(parseAddress(resourcePath(resource)).path()), !parseAddress(audience).covers(key.entity):
		return grant{}, errTokenAudience
	}
	return grant{*key, expires}, nil
}

// resourcePath is the path of a resource, which names its host with or without a
// scheme.
func resourcePath(resource string) string {
	if strings.Contains(resource, "://") {
		return resource
	}
	_, path, _ := strings.Cut(resource, "/")
	return path
}

// signer returns the one of the keys that text was signed with, nil for none.
func signer(keys []credential, text, signature string) *credential {
	given, err := url.QueryUnescape(signature)
	if err != nil {
		return nil
	}
	for i := range keys {
		mac := hmac.New(sha256.New, []byte(keys[i].value))
		mac.Write([]byte(text))
		want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if hmac.Equal([]byte(given), []byte(want)) {
			return &keys[i]
		}
	}
	return nil
}
