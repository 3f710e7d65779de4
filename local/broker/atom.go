package broker

import (
	"bytes"
	"encoding/xml"
	"io"
	"time"
)

// This file holds the Atom documents of the management API: entries of which each
// describes an entity, feeds of them, and errors.

const (
	nsAtom       = "http://www.w3.org/2005/Atom"
	nsServiceBus = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
	nsCounts     = "http://schemas.microsoft.com/netservices/2011/06/servicebus"
	nsInstance   = "http://www.w3.org/2001/XMLSchema-instance"
)

type atomText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	HRef string `xml:"href,attr"`
}

// atomContent holds one of the descriptions.
type atomContent struct {
	Type         string                   `xml:"type,attr"`
	Queue        *queueDescription        `xml:"QueueDescription,omitempty"`
	Topic        *topicDescription        `xml:"TopicDescription,omitempty"`
	Subscription *subscriptionDescription `xml:"SubscriptionDescription,omitempty"`
	Rule         *ruleDescription         `xml:"RuleDescription,omitempty"`
	Namespace    *namespaceInfo           `xml:"NamespaceInfo,omitempty"`
}

type atomEntry struct {
	XMLName   xml.Name    `xml:"entry"`
	Schema    string      `xml:"xmlns,attr,omitempty"`
	ID        string      `xml:"id"`
	Title     atomText    `xml:"title"`
	Published string      `xml:"published,omitempty"`
	Updated   string      `xml:"updated"`
	Author    string      `xml:"author>name"`
	Link      atomLink    `xml:"link"`
	Content   atomContent `xml:"content"`
}

type atomFeed struct {
	XMLName xml.Name   `xml:"feed"`
	Schema  string     `xml:"xmlns,attr"`
	Title   atomText   `xml:"title"`
	ID      string     `xml:"id"`
	Updated string     `xml:"updated"`
	Links   []atomLink `xml:"link"`
	entries []func() *atomEntry
}

// write writes a feed, of which text is what there is without its entries. One after
// the other is made as the peer takes them: together they may be large.
func (f *atomFeed) write(w io.Writer, text []byte) error {
	const end = "</feed>"
	if _, err := w.Write(bytes.TrimSuffix(text, []byte(end))); err != nil {
		return err
	}
	for _, show := range f.entries {
		entry, err := encodeAtom(show())
		if err != nil {
			return err
		}
		if _, err := w.Write(entry); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, end)
	return err
}

type atomError struct {
	XMLName xml.Name `xml:"Error"`
	Code    int      `xml:"Code"`
	Detail  string   `xml:"Detail"`
}

type namespaceInfo struct {
	Schema       string `xml:"xmlns,attr"`
	CreatedTime  string `xml:"CreatedTime"`
	MessagingSKU string `xml:"MessagingSKU"`
	ModifiedTime string `xml:"ModifiedTime"`
	Name         string `xml:"Name"`
	Type         string `xml:"NamespaceType"`
}

// queueDescription is a queue as the API shows it and takes it. What a request
// leaves out is the default.
type queueDescription struct {
	Schema   string `xml:"xmlns,attr,omitempty"`
	Instance string `xml:"xmlns:i,attr,omitempty"`

	LockDuration                        *string       `xml:"LockDuration"`
	MaxSizeInMegabytes                  *int          `xml:"MaxSizeInMegabytes"`
	RequiresDuplicateDetection          *bool         `xml:"RequiresDuplicateDetection"`
	RequiresSession                     *bool         `xml:"RequiresSession"`
	DefaultMessageTimeToLive            *string       `xml:"DefaultMessageTimeToLive"`
	DeadLetteringOnMessageExpiration    *bool         `xml:"DeadLetteringOnMessageExpiration"`
	DuplicateDetectionHistoryTimeWindow *string       `xml:"DuplicateDetectionHistoryTimeWindow"`
	MaxDeliveryCount                    *int          `xml:"MaxDeliveryCount"`
	EnableBatchedOperations             *bool         `xml:"EnableBatchedOperations"`
	SizeInBytes                         *int64        `xml:"SizeInBytes"`
	MessageCount                        *int          `xml:"MessageCount"`
	IsAnonymousAccessible               *bool         `xml:"IsAnonymousAccessible"`
	AuthorizationRules                  *atomRights   `xml:"AuthorizationRules"`
	Status                              *string       `xml:"Status"`
	ForwardTo                           *string       `xml:"ForwardTo"`
	UserMetadata                        *string       `xml:"UserMetadata"`
	CreatedAt                           string        `xml:"CreatedAt,omitempty"`
	UpdatedAt                           string        `xml:"UpdatedAt,omitempty"`
	AccessedAt                          string        `xml:"AccessedAt,omitempty"`
	SupportOrdering                     *bool         `xml:"SupportOrdering"`
	CountDetails                        *countDetails `xml:"CountDetails"`
	AutoDeleteOnIdle                    *string       `xml:"AutoDeleteOnIdle"`
	EnablePartitioning                  *bool         `xml:"EnablePartitioning"`
	EntityAvailabilityStatus            string        `xml:"EntityAvailabilityStatus,omitempty"`
	ForwardDeadLetteredMessagesTo       *string       `xml:"ForwardDeadLetteredMessagesTo"`
	EnableExpress                       *bool         `xml:"EnableExpress"`
	MaxMessageSizeInKilobytes           *int64        `xml:"MaxMessageSizeInKilobytes"`
}

type countDetails struct {
	Prefix             string `xml:"xmlns:d2p1,attr,omitempty"`
	Active             int    `xml:"d2p1:ActiveMessageCount"`
	DeadLetter         int    `xml:"d2p1:DeadLetterMessageCount"`
	Scheduled          int    `xml:"d2p1:ScheduledMessageCount"`
	TransferDeadLetter int    `xml:"d2p1:TransferDeadLetterMessageCount"`
	Transfer           int    `xml:"d2p1:TransferMessageCount"`
}

// atomTime is a time as the API writes it.
func atomTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
