package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/messages"
)

// eventSource is the CloudEvents source of what this program publishes.
const eventSource = "https://github.com/muster-mfa/muster"

// publishFlags describe one command.
type publishFlags struct {
	queueFlags
	modeFlags
	tenant, user             string
	mobile, alternate        string
	office                   string
	smsSignIn, state, method string
	removeAuthenticator      []string
	binary, asJSON           bool
}

func newPublish(p *process) *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Publish one command, as an upstream identity system would",
		Long: `Publish one command for one user.

The command comes from flags, or, where --user is not given, as JSON from standard
input: either the command's data, {"tenant": ..., "user": ..., "phones": ...}, or a
whole CloudEvent. Numbers travel as they are; the worker judges them.

  muster publish --tenant contoso.example --user ada@contoso.example \
      --mobile "+1 206 555 0100" --default-method sms

` + exitCodes,
		Args: noArgs,
		RunE: p.run(func(cmd *cobra.Command, _ []string) error { return publish(cmd, p, &f) }),
	}
	f.queueFlags.add(cmd)
	f.modeFlags.add(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.tenant, "tenant", "", "the tenant's id or one of its domain names")
	fs.StringVar(&f.user, "user", "", "the user's object id or user principal name")
	fs.StringVar(&f.mobile, "mobile", "", "mobile number, or - to remove it")
	fs.StringVar(&f.alternate, "alternate-mobile", "", "alternate mobile number, or - to remove it")
	fs.StringVar(&f.office, "office", "", "office number, or - to remove it")
	fs.StringVar(&f.smsSignIn, "sms-sign-in", "", "SMS sign-in: on or off")
	fs.StringVar(&f.state, "per-user-mfa-state", "", "per-user MFA state: disabled, enabled or enforced")
	fs.StringVar(&f.method, "default-method", "", "default method: push, oath, voiceMobile, voiceAlternateMobile, voiceOffice or sms")
	fs.StringArrayVar(&f.removeAuthenticator, "remove-authenticator", nil, `Authenticator registrations to remove: all, "older than 365 days", "named Pixel 8" or a method id; may be repeated`)
	fs.BoolVar(&f.binary, "binary", false, "send in the CloudEvents binary mode instead of the structured mode")
	fs.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func publish(cmd *cobra.Command, p *process, f *publishFlags) (err error) {
	event, err := f.event(cmd.InOrStdin(), f.modes(cmd))
	if err != nil {
		return err
	}
	namespace, err := f.open(cmd, p)
	if err != nil {
		return err
	}
	defer p.closing(cmd.Context(), namespace.Close)
	sender, err := namespace.Sender(f.queue)
	if err != nil {
		return err
	}
	ctx, span := otel.Tracer("github.com/muster-mfa/muster/cmd/muster").Start(cmd.Context(), "send "+f.queue,
		trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
			semconv.MessagingSystemServiceBus, semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationName(f.queue)))
	defer span.End()
	if messages.IsOpaque(event.ID) {
		span.SetAttributes(semconv.MessagingMessageID(event.ID))
	}
	if event.TraceParent == "" {
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		event.TraceParent, event.TraceState = carrier["traceparent"], carrier["tracestate"]
	}
	if f.binary {
		encoded, encoding := event.Binary()
		if encoding != nil {
			return usageError("%w", encoding)
		}
		err = sender.SendEncoded(ctx, event.ID, encoded)
	} else {
		_, err = sender.Send(ctx, []messages.Event{event})
	}
	if err != nil {
		span.SetStatus(codes.Error, "not sent")
		return err
	}
	return f.confirm(cmd.OutOrStdout(), event, span.SpanContext())
}

// confirm tells the ids by which the command can be found again.
func (f *publishFlags) confirm(w io.Writer, event messages.Event, sc trace.SpanContext) error {
	var traceID string
	if sc.IsSampled() {
		traceID = sc.TraceID().String()
	}
	if f.asJSON {
		return json.NewEncoder(w).Encode(map[string]string{"id": event.ID, "traceId": traceID})
	}
	text := "published " + event.ID
	if traceID != "" {
		text += ", trace " + traceID
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// event makes the event from the flags or from standard input.
func (f *publishFlags) event(in io.Reader, modes bulk.Modes) (messages.Event, error) {
	if f.user != "" {
		c, err := f.command(modes)
		return newEvent(c), err
	}
	raw, err := io.ReadAll(io.LimitReader(in, messages.MaxBody+1))
	if err != nil {
		return messages.Event{}, fmt.Errorf("read standard input: %w", err)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return messages.Event{}, usageError("give --user and what is wanted, or a command as JSON on standard input")
	}
	var envelope struct {
		SpecVersion json.RawMessage `json:"specversion"`
	}
	if json.Unmarshal(raw, &envelope) == nil && envelope.SpecVersion != nil {
		event, err := messages.Decode(messages.Encoded{ContentType: messages.StructuredContentType, Body: raw})
		if err != nil {
			return messages.Event{}, usageError("standard input: %w", err)
		}
		return event, nil
	}
	c, err := messages.DecodeCommand(raw)
	if err != nil {
		return messages.Event{}, usageError("standard input: %w", err)
	}
	return newEvent(c), nil
}

func newEvent(c messages.Command) messages.Event {
	return messages.Event{ID: uuid.NewString(), Source: eventSource, Time: time.Now().UTC(), Command: c}
}

// command makes the command from the flags and reports every fault of them.
func (f *publishFlags) command(modes bulk.Modes) (messages.Command, error) {
	c := messages.Command{
		Tenant: f.tenant, User: f.user,
		PhoneMode:         modes.Phone,
		PerUserMFAState:   messages.MFAState(f.state),
		DefaultMethod:     messages.DefaultMethod(f.method),
		DefaultMethodMode: modes.DefaultMethod,
		ProtectLastMethod: modes.ProtectLastMethod,
	}
	for t, number := range map[messages.PhoneType]string{messages.Mobile: f.mobile, messages.AlternateMobile: f.alternate, messages.Office: f.office} {
		if number == "" {
			continue
		}
		if c.Phones == nil {
			c.Phones = make(messages.Phones)
		}
		if number == "-" {
			number = messages.Remove
		}
		c.Phones[t] = number
	}
	var faults []error
	if len(f.removeAuthenticator) > 0 {
		removal, err := bulk.ParseRemoval(strings.Join(f.removeAuthenticator, ";"))
		if err != nil {
			faults = append(faults, fmt.Errorf("--remove-authenticator: %w", err))
		}
		c.Authenticator = removal
	}
	switch f.smsSignIn {
	case "":
	case "on", "off":
		on := f.smsSignIn == "on"
		c.SMSSignIn = &on
	default:
		faults = append(faults, fmt.Errorf("--sms-sign-in is %q: use on or off", f.smsSignIn))
	}
	// Encoding checks what decoding would refuse.
	if _, err := newEvent(c).Structured(); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return messages.Command{}, usageError("%w", err)
	}
	return c, nil
}
