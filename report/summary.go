package report

import (
	"cmp"
	"slices"
	"time"
)

// Summary is what a report adds up to.
type Summary struct {
	Tenant    string    `json:"tenant"`
	Generated time.Time `json:"generated"`
	View      View      `json:"view"`
	// Seen is how many users the directory has, Users how many are in the report.
	Seen  int64 `json:"seen"`
	Users int64 `json:"users"`
	// The counts of users by what they have. The empty value is called unknown.
	States    Counts `json:"by_state"`
	Strengths Counts `json:"by_strength"`
	Migration Counts `json:"by_migration"`
	UserTypes Counts `json:"by_user_type"`
	Methods   Counts `json:"by_method"`
	Defaults  Counts `json:"by_default_method"`
	// SystemPreferred is how many users the system picks the method for.
	SystemPreferred int64 `json:"system_preferred"`
	// Disabled is how many accounts are disabled.
	Disabled int64 `json:"disabled_accounts"`
	// Named lists the principal names in each state, MaxNames at most.
	Named map[string][]string `json:"-"`
	Parts []Part              `json:"parts"`
	// Changes is nil where nothing was compared.
	Changes *ChangeSummary `json:"changes,omitempty"`
	// Commands and PhoneRemovals are how many rows were written into the files
	// for muster apply.
	Commands      int64 `json:"commands,omitempty"`
	PhoneRemovals int64 `json:"phone_removals,omitempty"`
	// PhonesKept is how many users have a strong method and are not in the file
	// that removes phones, as nothing can take the place of their default method.
	PhonesKept int64 `json:"phones_kept,omitempty"`
	// Files are the files that were written.
	Files   []string `json:"files"`
	Seconds float64  `json:"seconds"`
}

// MaxNames bounds the lists of names in a summary.
const MaxNames = 1000

// Counts is how many users there are of each kind, the most frequent first.
type Counts []Count

// Count is one line of Counts.
type Count struct {
	Value string `json:"value"`
	Users int64  `json:"users"`
}

// Of returns the count of a value.
func (c Counts) Of(value string) int64 {
	for _, x := range c {
		if x.Value == value {
			return x.Users
		}
	}
	return 0
}

// ChangeSummary counts what differs from an earlier report.
type ChangeSummary struct {
	Added   int64 `json:"added"`
	Removed int64 `json:"removed"`
	// Changed counts users, Fields the fields that differ.
	Changed int64  `json:"changed"`
	Fields  Counts `json:"by_field"`
	// First are the first changes, MaxNames at most.
	First []Change `json:"-"`
}

// tally makes a summary from rows and changes as they come.
type tally struct {
	summary Summary
	states, strengths, migration, types,
	methods, defaults, fields map[string]int64
	changes     ChangeSummary
	lastChanged string
}

func newTally() *tally {
	return &tally{
		summary: Summary{Named: map[string][]string{}},
		states:  map[string]int64{}, strengths: map[string]int64{}, migration: map[string]int64{}, types: map[string]int64{},
		methods: map[string]int64{}, defaults: map[string]int64{}, fields: map[string]int64{},
	}
}

func (t *tally) row(r *Row) {
	s := &t.summary
	s.Users++
	state := orUnknown(r.PerUserMFAState)
	t.states[state]++
	t.strengths[orUnknown(string(r.Strength))]++
	if r.Migration != "" {
		t.migration[string(r.Migration)]++
	}
	t.types[orUnknown(r.UserType)]++
	for _, m := range r.Methods {
		t.methods[m]++
	}
	t.defaults[orUnknown(r.DefaultMethod)]++
	if r.SystemPreferred == Yes {
		s.SystemPreferred++
	}
	if r.AccountEnabled == No {
		s.Disabled++
	}
	if len(s.Named[state]) < MaxNames {
		s.Named[state] = append(s.Named[state], r.UserPrincipalName)
	}
}

func (t *tally) change(c Change) {
	switch c.What {
	case ChangeAdded:
		t.changes.Added++
	case ChangeRemoved:
		t.changes.Removed++
	default:
		if c.ID != t.lastChanged {
			t.changes.Changed++
			t.lastChanged = c.ID
		}
		t.fields[c.Field]++
	}
	if len(t.changes.First) < MaxNames {
		t.changes.First = append(t.changes.First, c)
	}
}

func orUnknown(s string) string { return cmp.Or(s, "unknown") }

// finish turns the maps into sorted counts.
func (t *tally) finish(compared bool) Summary {
	s := t.summary
	for _, x := range [...]struct {
		to   *Counts
		from map[string]int64
	}{
		{&s.States, t.states}, {&s.Strengths, t.strengths}, {&s.Migration, t.migration}, {&s.UserTypes, t.types},
		{&s.Methods, t.methods}, {&s.Defaults, t.defaults}, {&t.changes.Fields, t.fields},
	} {
		*x.to = counted(x.from)
	}
	for _, names := range s.Named {
		slices.Sort(names)
	}
	if compared {
		s.Changes = &t.changes
	}
	return s
}

func counted(m map[string]int64) Counts {
	c := make(Counts, 0, len(m))
	for value, n := range m {
		c = append(c, Count{value, n})
	}
	slices.SortFunc(c, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.Value, b.Value)) })
	return c
}

// group is a table of counts with a title.
type group struct {
	Title  string
	Counts Counts
}

// groups are the tables of a summary.
func (s Summary) groups() []group {
	return []group{
		{"Per-user MFA state", s.States}, {"Strength of methods", s.Strengths}, {"Migration to Conditional Access", s.Migration},
		{"Methods registered", s.Methods}, {"Default method", s.Defaults}, {"User type", s.UserTypes},
	}
}
