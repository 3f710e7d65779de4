package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/muster-mfa/muster/messages"
)

// checkSecrecy looks for the numbers and user principal names of everything that
// went in, in everything that came out.
func (r *rig) checkSecrecy() {
	for where, text := range r.emitted() {
		for _, secret := range r.secrets() {
			if i := strings.Index(text, secret); i >= 0 {
				r.t.Errorf("%s tell personal data: …%s…", where, text[max(0, i-80):min(len(text), i+80)])
				break
			}
		}
	}
}

// secrets are the digits of every number and the names before every @.
func (r *rig) secrets() []string {
	secrets := []string{"@" + domain, "%40" + domain}
	add := func(user string, numbers ...string) {
		if name, _, isUPN := strings.Cut(user, "@"); isUPN {
			secrets = append(secrets, name)
		}
		for _, n := range numbers {
			if n != messages.Remove {
				_, national, _ := strings.Cut(n, " ")
				secrets = append(secrets, n, national)
			}
		}
	}
	for _, u := range r.tenant.Snapshot() {
		add(u.UserPrincipalName, u.Phones.Mobile, u.Phones.AlternateMobile, u.Phones.Office)
	}
	for _, e := range r.published {
		phones := slices.Collect(maps.Values(e.Command.Phones))
		if e.Command.Expect != nil {
			phones = slices.AppendSeq(phones, maps.Values(e.Command.Expect.Phones))
		}
		for _, n := range phones {
			add(e.Command.User, n)
		}
	}
	add("", r.foreign...)
	slices.Sort(secrets)
	// What is too short is found anywhere.
	return slices.DeleteFunc(slices.Compact(secrets), func(s string) bool { return len(s) < 7 })
}

// emitted is all that the worker and its clients told the world, by channel.
func (r *rig) emitted() map[string]string {
	letters := make([]string, 0)
	for _, d := range r.deadLetters() {
		letters = append(letters, fmt.Sprintf("%+v", d))
	}
	outcomes := make([]string, 0)
	for _, o := range r.reported() {
		outcomes = append(outcomes, fmt.Sprintf("%+v", o))
	}
	return map[string]string{
		"logs":         strings.Join(r.log.all(), "\n"),
		"spans":        r.toldBySpans(),
		"metrics":      r.toldByMetrics(),
		"dead letters": strings.Join(letters, "\n"),
		"outcomes":     strings.Join(outcomes, "\n"),
	}
}

// toldBySpans leaves the times out: a number could appear in them by chance.
func (r *rig) toldBySpans() string {
	var b strings.Builder
	attributes := func(attrs []attribute.KeyValue) {
		for _, a := range attrs {
			if a.Value.Type() != attribute.FLOAT64 {
				fmt.Fprintln(&b, a.Key, a.Value.String())
			}
		}
	}
	for _, s := range r.spans.Ended() {
		fmt.Fprintln(&b, s.Name(), s.Status().Description, s.SpanContext().TraceState().String())
		attributes(s.Attributes())
		for _, e := range s.Events() {
			fmt.Fprintln(&b, e.Name)
			attributes(e.Attributes)
		}
		for _, l := range s.Links() {
			attributes(l.Attributes)
		}
	}
	return b.String()
}

func (r *rig) toldByMetrics() string {
	var all metricdata.ResourceMetrics
	if err := r.metrics.Collect(context.Background(), &all); err != nil {
		r.t.Errorf("collect metrics: %v", err)
	}
	var b strings.Builder
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, set := range attributeSets(m.Data) {
				text, err := json.Marshal(set.ToSlice())
				if err != nil {
					r.t.Errorf("write attributes of %s: %v", m.Name, err)
				}
				fmt.Fprintln(&b, m.Name, m.Description, string(text))
			}
		}
	}
	return b.String()
}

func attributeSets(data metricdata.Aggregation) []attribute.Set {
	var sets []attribute.Set
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			sets = append(sets, p.Attributes)
		}
	}
	return sets
}
