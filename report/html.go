package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The page is one file. Its policy lets nothing be fetched, and nothing run but
// the one script below.
var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS string
	//go:embed page/page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
		"number": thousands, "people": countOfUsers, "note": Part.note, "breakable": breakable,
	}).Parse(pageHTML))
)

// page writes the HTML. The rows are data for the script: a JSON array of
// arrays, in which words that come again and again are numbers.
type page struct {
	out     io.Writer
	columns []column
	limit   int

	rows  int
	line  []byte
	words []wordList
}

// wordList numbers the words of a column as they come up.
type wordList struct {
	places map[string]int
	words  []string
}

func newPage(w io.Writer, columns []column, limit int) *page {
	p := &page{out: w, columns: columns, limit: limit, words: make([]wordList, len(columns))}
	for i := range p.words {
		p.words[i] = wordList{places: map[string]int{}, words: []string{}}
	}
	return p
}

func (p *page) begin(s Summary) error {
	policy := "default-src 'none'; script-src '" + digest(pageJS) + "'; style-src '" + digest(pageCSS) +
		"'; img-src data:; base-uri 'none'; form-action 'none'"
	if _, err := fmt.Fprintf(p.out, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>Authentication methods</title>
<style>%s</style></head>
`, policy, pageCSS); err != nil {
		return err
	}
	if err := pageTemplate.ExecuteTemplate(p.out, "top", p.content(s)); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	return p.data("columns", p.described(), "\n<script type=\"application/json\" id=\"rows\">[")
}

// digest is the form in which a policy names what it lets through.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// data writes a value for the script. encoding/json escapes <, > and &, so
// nothing in it can end the element.
func (p *page) data(id string, v any, after string) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", id, err)
	}
	_, err = fmt.Fprintf(p.out, "<script type=\"application/json\" id=\"%s\">%s</script>%s", id, raw, after)
	return err
}

// pageColumn describes a column to the script.
type pageColumn struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Kind   string `json:"kind"`
	Width  int    `json:"width"`
	Extra  bool   `json:"extra,omitempty"`
	Filter bool   `json:"filter,omitempty"`
	Badge  bool   `json:"badge,omitempty"`
}

// The columns that can be filtered by, that stand out, that are not shown at
// first, and that are wider or narrower than others of their kind.
var (
	pageFilters = set("PerUserMfaState", "Strength", "Migration", "MethodsRegistered", "DefaultMethod", "UserType", "AccountEnabled", "Department")
	pageBadges  = set("PerUserMfaState", "Strength", "Migration")
	pageExtras  = set("Id", "OnPremisesSyncEnabled", "Licensed", "IsAdmin", "IsMfaRegistered", "IsMfaCapable", "IsPasswordlessCapable",
		"IsSsprRegistered", "IsSsprEnabled", "IsSsprCapable", "RegistrationUpdated", "SystemPreferred")
	pageWidths = map[string]int{"PerUserMfaState": 135, "UserPrincipalName": 270, "DisplayName": 170, "MethodsRegistered": 300, "Id": 310, "UserType": 90, "Department": 140}
	kindWidths = map[string]int{"text": 160, "word": 120, "flag": 130, "time": 140}
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

func (p *page) described() []pageColumn {
	described := make([]pageColumn, 0, len(p.columns))
	for _, c := range p.columns {
		kind := kindOf(c)
		width := pageWidths[c.name]
		if width == 0 {
			width = kindWidths[kind]
		}
		described = append(described, pageColumn{
			Name: c.name, Title: c.title, Kind: kind, Width: width,
			Extra: pageExtras[c.name], Filter: pageFilters[c.name], Badge: pageBadges[c.name],
		})
	}
	return described
}

func kindOf(c column) string {
	switch c.value(&Row{}).(type) {
	case Flag:
		return "flag"
	case time.Time:
		return "time"
	}
	if c.wordy {
		return "word"
	}
	return "text"
}

func (p *page) row(r *Row) error {
	if p.rows == p.limit {
		return nil
	}
	p.line = p.line[:0]
	if p.rows > 0 {
		p.line = append(p.line, ',')
	}
	p.line = append(p.line, '\n', '[')
	for i, c := range p.columns {
		if i > 0 {
			p.line = append(p.line, ',')
		}
		if err := p.cell(i, c, c.value(r)); err != nil {
			return err
		}
	}
	p.rows++
	p.line = append(p.line, ']')
	_, err := p.out.Write(p.line)
	return err
}

func (p *page) cell(i int, c column, v any) error {
	switch v := v.(type) {
	case Flag:
		p.line = strconv.AppendInt(p.line, int64(v), 10)
		return nil
	case time.Time:
		seconds := int64(0)
		if !v.IsZero() {
			seconds = v.Unix()
		}
		p.line = strconv.AppendInt(p.line, seconds, 10)
		return nil
	}
	if c.wordy {
		p.line = strconv.AppendInt(p.line, int64(p.words[i].place(asText(v))), 10)
		return nil
	}
	raw, err := json.Marshal(asText(v))
	p.line = append(p.line, raw...)
	return err
}

func (l *wordList) place(word string) int {
	n, known := l.places[word]
	if !known {
		n = len(l.words)
		l.places[word] = n
		l.words = append(l.words, word)
	}
	return n
}

func (p *page) end() error {
	if _, err := io.WriteString(p.out, "\n]</script>\n"); err != nil {
		return err
	}
	words := make([][]string, len(p.words))
	for i := range p.words {
		words[i] = p.words[i].words
	}
	return p.data("words", words, "\n<script>"+pageJS+"</script>\n</body></html>\n")
}

// thousands writes a number with separators.
func thousands(n any) string {
	s := fmt.Sprint(n)
	var b bytes.Buffer
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// breakable lets a name such as microsoftAuthenticatorPush go on in the next line
// between its words.
func breakable(name string) template.HTML {
	var b strings.Builder
	last := 0
	for i, r := range name {
		if i > last && unicode.IsUpper(r) {
			b.WriteString(template.HTMLEscapeString(name[last:i]) + "<wbr>")
			last = i
		}
	}
	return template.HTML(b.String() + template.HTMLEscapeString(name[last:]))
}

// countOfUsers counts users in words.
func countOfUsers(n int64) string {
	if n == 1 {
		return "1 user"
	}
	return thousands(n) + " users"
}

// pageContent is what the template shows.
type pageContent struct {
	S           Summary
	Migration   bool
	Phones      bool
	Unread      []string
	Stacks      []pageChart
	Bars        []pageChart
	Names       []pageNames
	Stages      []pageStage
	MoreChanges bool
	Cut         int // rows that the page holds, where these are not all
}

// pageChart is a table of counts with a drawing.
type pageChart struct {
	Title, Head, Column string
	Parts               []pageBar
}

// Alternative says in words what the drawing shows.
func (c pageChart) Alternative() string {
	var parts []string
	for _, p := range c.Parts {
		parts = append(parts, fmt.Sprintf("%s %s (%s)", p.Value, countOfUsers(p.Users), p.Share))
	}
	return c.Title + ": " + strings.Join(parts, ", ")
}

type pageBar struct {
	Count
	Class, Share string
	X, Width     int // of 1,000
}

type pageNames struct {
	State string
	Total int64
	Names []string
	More  int64
	Open  bool
}

type pageStage struct {
	Count
	Meaning string
}

func (p *page) content(s Summary) pageContent {
	c := pageContent{S: s, Migration: s.View == ViewMigration}
	for _, col := range p.columns {
		c.Phones = c.Phones || col.name == "MobilePhone"
	}
	for _, part := range s.Parts {
		if (!part.Read || part.Partial || part.Failed > 0) && !strings.HasPrefix(part.Why, "not asked for") {
			c.Unread = append(c.Unread, part.String())
		}
	}
	c.Stacks = []pageChart{
		stack("Per-user MFA state", "State", "PerUserMfaState", s.States, s.Users),
		stack("Strength of methods", "Strength", "Strength", s.Strengths, s.Users),
	}
	c.Bars = []pageChart{
		bars("Methods registered", "Method", "MethodsRegistered", s.Methods),
		bars("Default method", "Method", "DefaultMethod", s.Defaults),
	}
	for _, state := range [...]string{"enforced", "enabled"} {
		if total := s.States.Of(state); total > 0 {
			names := s.Named[state]
			c.Names = append(c.Names, pageNames{state, total, names, total - int64(len(names)), total <= 50})
		}
	}
	for _, stage := range [...]struct {
		value   Migration
		meaning string
	}{
		{Ready, "has a strong method: can be moved"},
		{NeedsStronger, "has nothing but a phone: would still pass, until SMS and voice end"},
		{NeedsMethod, "has no method: has to register one first"},
		{NotKnown, "the methods could not be read (disabled accounts are not in the registration report: use --details)"},
	} {
		c.Stages = append(c.Stages, pageStage{Count{string(stage.value), s.Migration.Of(string(stage.value))}, stage.meaning})
	}
	if s.Changes != nil {
		told := s.Changes.Added + s.Changes.Removed
		for _, f := range s.Changes.Fields {
			told += f.Users
		}
		c.MoreChanges = told > int64(len(s.Changes.First))
	}
	if s.Users > int64(p.limit) {
		c.Cut = p.limit
	}
	return c
}

// stack is a chart of parts that add up to all users.
func stack(title, head, column string, counts Counts, total int64) pageChart {
	c := pageChart{Title: title, Head: head, Column: column}
	sum := int64(0)
	for _, n := range counts {
		from := sum * 1000 / max(total, 1)
		sum += n.Users
		c.Parts = append(c.Parts, pageBar{
			Count: n, Class: n.Value, X: int(from), Width: int(sum*1000/max(total, 1) - from),
			Share: fmt.Sprintf("%.1f %%", float64(n.Users)*100/float64(max(total, 1))),
		})
	}
	return c
}

// bars is a chart of counts beside each other.
func bars(title, head, column string, counts Counts) pageChart {
	c := pageChart{Title: title, Head: head, Column: column}
	for _, n := range counts {
		c.Parts = append(c.Parts, pageBar{Count: n, Width: int(n.Users * 1000 / max(counts[0].Users, 1))})
	}
	return c
}
