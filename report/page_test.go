package report

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	pagecdp "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// findChromium returns the browser. In CI a missing one is a failure: the page
// must not go untested there.
func findChromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	const how = "there is no Chromium: make chromium installs it on Debian, or set CHROMIUM to the browser's path"
	if os.Getenv("CI") != "" {
		t.Fatal(how)
	}
	t.Skip(how)
	return ""
}

// browser is a page in a headless browser, with all that went wrong there.
type browser struct {
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

func openPage(t *testing.T, path string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.DisableGPU,
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAllocator)
	timed, cancelTimed := context.WithTimeout(allocator, 2*time.Minute)
	t.Cleanup(cancelTimed)
	ctx, cancel := chromedp.NewContext(timed)
	t.Cleanup(func() {
		// The browser has to be gone before its directory can be.
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("close browser: %v", err)
		}
		cancel()
	})
	b := &browser{ctx: ctx}
	address := "file://" + path
	fault := func(format string, args ...any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.faults = append(b.faults, fmt.Sprintf(format, args...))
	}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if url := e.Request.URL; url != address && !strings.HasPrefix(url, address+"#") && !strings.HasPrefix(url, "data:") {
				fault("request for %s", url)
			}
		case *runtime.EventExceptionThrown:
			fault("exception: %s", e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			fault("console.%s", e.Type)
		case *log.EventEntryAdded:
			fault("log: %s", e.Entry.Text)
		}
	})
	b.run(t, network.Enable(), log.Enable(), chromedp.Navigate(address), chromedp.WaitReady(`html[data-ready]`, chromedp.ByQuery))
	return b
}

func (b *browser) run(t *testing.T, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// calm fails the test when the page has complained, or asked for anything.
func (b *browser) calm(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		t.Error(f)
	}
}

// says evaluates an expression to a string.
func (b *browser) says(t *testing.T, expression string) string {
	t.Helper()
	var s string
	b.run(t, chromedp.Evaluate("String("+expression+")", &s))
	return s
}

// becomes waits until an expression has a value.
func (b *browser) becomes(t *testing.T, expression, want string) {
	t.Helper()
	raw, _ := json.Marshal(want)
	if err := chromedp.Run(b.ctx, chromedp.Poll("String("+expression+") === "+string(raw), nil, chromedp.WithPollingTimeout(20*time.Second))); err != nil {
		t.Fatalf("%s is %q, want %q: %v", expression, b.says(t, expression), want, err)
	}
}

// shot leaves a picture where MUSTERTEST_SHOTS says, and sees that there is one.
func (b *browser) shot(t *testing.T, name string) {
	t.Helper()
	var png []byte
	b.run(t, chromedp.FullScreenshot(&png, 100))
	if len(png) < 10_000 {
		t.Errorf("the picture %s has %d bytes", name, len(png))
	}
	keep(t, name, png)
}

func keep(t *testing.T, name string, content []byte) {
	t.Helper()
	if dir := os.Getenv("MUSTERTEST_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func scheme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}})
}

func pageOf(t *testing.T, source Source, o Options) string {
	t.Helper()
	o.Outputs = []Output{{HTML, "report.html"}}
	return filepath.Join(makeReport(t, source, o).dir, "report.html")
}

const (
	status    = `document.getElementById("count").textContent`
	firstUser = `(document.querySelector("#body tr:not(.space) th")||{}).textContent`
	drawnRows = `document.querySelectorAll("#body tr:not(.space)").length`
)

func TestPageOfTenUsers(t *testing.T) {
	earlier := makeReport(t, invented{n: 9}, Options{})
	path := pageOf(t, invented{n: 10, name: func(i int) string { return hostile[i] }}, Options{
		Tenant: "contoso.example", SignInDays: 7, Earlier: filepath.Join(earlier.dir, "all.jsonl"),
	})
	b := openPage(t, path)
	b.becomes(t, status, "10 users")
	b.becomes(t, drawnRows, "10")
	// Names are shown to the letter, and none of them has done anything.
	for _, name := range []string{hostile[0], hostile[7]} {
		raw, _ := json.Marshal(name)
		if got := b.says(t, `[...document.querySelectorAll("#body td")].some(c => c.textContent === `+string(raw)+`)`); got != "true" {
			t.Errorf("the table does not show %q", name)
		}
	}
	// Those on per-user MFA stand out by more than their colour.
	if got := b.says(t, `[...document.querySelectorAll("#body tr.enforced .badge")].filter(e => e.textContent === "enforced").length > 0`); got != "true" {
		t.Error("no enforced user stands out")
	}
	b.shot(t, "ten-light.png")
	b.run(t, scheme("dark"))
	b.shot(t, "ten-dark.png")
	b.axe(t)
	b.run(t, scheme("light"))
	b.axe(t)
	b.calm(t)
}

func TestPageOfAHundredThousandUsersByKeyboard(t *testing.T) {
	path := pageOf(t, invented{n: 100_000}, Options{SignInDays: 7})
	began := time.Now()
	b := openPage(t, path)
	b.becomes(t, status, "100,000 users")
	t.Logf("shown after %v", time.Since(began))
	if n := b.says(t, drawnRows+" < 120"); n != "true" {
		t.Errorf("the document holds %s rows", b.says(t, drawnRows))
	}
	// The way from the top: skip link, then what is behind it.
	b.run(t, chromedp.KeyEvent(kb.Tab))
	b.becomes(t, `document.activeElement.className`, "skip")
	b.run(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	b.becomes(t, `document.activeElement.id`, "search")
	b.run(t, chromedp.KeyEvent("USER0000042"))
	b.becomes(t, status, "1 of 100,000 users")
	b.becomes(t, firstUser, "user0000042@contoso.example")
	b.run(t, chromedp.KeyEvent(strings.Repeat(kb.Backspace, 11)))
	b.becomes(t, status, "100,000 users")
	// A list is chosen from by its first letters.
	b.run(t, chromedp.KeyEvent(kb.Tab))
	b.becomes(t, `document.activeElement.parentElement.firstChild.textContent`, "Per-user MFA")
	if got := b.says(t, `getComputedStyle(document.activeElement).outlineStyle`); got != "solid" {
		t.Errorf("focus is shown by outline %q", got)
	}
	b.run(t, chromedp.KeyEvent("enf"))
	b.becomes(t, status, "12,500 of 100,000 users")
	// Sort by name, there and back.
	tabTo(t, b, `document.activeElement.textContent`, "Name")
	b.run(t, chromedp.KeyEvent(kb.Enter))
	b.becomes(t, `document.activeElement.parentElement.getAttribute("aria-sort")`, "ascending")
	b.run(t, chromedp.KeyEvent(kb.Enter))
	b.becomes(t, `document.activeElement.parentElement.getAttribute("aria-sort")`, "descending")
	b.becomes(t, `document.querySelector("#body tr:not(.space) td").textContent`, "User 0099997")
	// The rows scroll by keys, and what is in sight is there.
	b.run(t, chromedp.Focus("#grid", chromedp.ByQuery), chromedp.KeyEvent(kb.End))
	b.becomes(t, `[...document.querySelectorAll("#body tr:not(.space)")].at(-1).getAttribute("aria-rowindex")`, "12501")
	b.shot(t, "hundred-thousand.png")
	b.calm(t)
}

// tabTo presses the tabulator until an expression has a value.
func tabTo(t *testing.T, b *browser, expression, want string) {
	t.Helper()
	for range 30 {
		b.run(t, chromedp.KeyEvent(kb.Tab))
		if b.says(t, expression) == want {
			return
		}
	}
	t.Fatalf("no way to %q by keyboard", want)
}

func TestPageIsPrintedWithTheRowsShown(t *testing.T) {
	b := openPage(t, pageOf(t, invented{n: 300}, Options{}))
	var pdf []byte
	b.run(t, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		pdf, _, err = pagecdp.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
		return err
	}))
	if len(pdf) < 20_000 || !strings.HasPrefix(string(pdf), "%PDF") {
		t.Errorf("the print has %d bytes", len(pdf))
	}
	keep(t, "print.pdf", pdf)
	b.run(t, chromedp.Evaluate(`dispatchEvent(new Event("beforeprint"))`, nil))
	if got := b.says(t, drawnRows); got != "300" {
		t.Errorf("%s rows are printed, want 300", got)
	}
	b.calm(t)
}

// On a phone nothing is wider than the screen, but for the table, which scrolls,
// and the list of columns opens and closes like a menu.
func TestPageOnAPhone(t *testing.T) {
	b := openPage(t, pageOf(t, invented{n: 40}, Options{SignInDays: 7, Phones: PhonesMasked}))
	b.run(t, emulation.SetDeviceMetricsOverride(390, 844, 1, true))
	const wide = `[...document.querySelectorAll("body *")].filter(e => !e.closest("#grid") && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName)`
	if got := b.says(t, wide); got != "" {
		t.Errorf("wider than the screen: %s", got)
	}
	b.shot(t, "phone.png")
	b.axe(t)
	const open = `document.querySelector(".chooser").open`
	b.run(t, chromedp.Click(".chooser summary", chromedp.ByQuery))
	b.becomes(t, open, "true")
	if got := b.says(t, wide); got != "" {
		t.Errorf("with the columns, wider than the screen: %s", got)
	}
	b.axe(t)
	b.run(t, chromedp.KeyEvent(kb.Escape))
	b.becomes(t, open, "false")
	b.becomes(t, `document.activeElement.tagName`, "SUMMARY")
	b.run(t, chromedp.KeyEvent(kb.Enter))
	b.becomes(t, open, "true")
	b.run(t, chromedp.Click("h1", chromedp.ByQuery))
	b.becomes(t, open, "false")
	b.calm(t)
}

func TestAnEmptyPageIsWhole(t *testing.T) {
	b := openPage(t, pageOf(t, invented{}, Options{View: ViewMigration}))
	b.becomes(t, status, "0 users")
	b.calm(t)
}

func TestPageThatIsCutSaysSo(t *testing.T) {
	path := pageOf(t, invented{n: 30}, Options{PageRows: 20})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "The page holds the first 20 of 30 users.") {
		t.Error("the page does not say that it is cut")
	}
	b := openPage(t, path)
	b.becomes(t, status, "20 users")
	b.calm(t)
}

// The page names nothing that is elsewhere, whatever is in it.
func TestPageIsCompleteInItself(t *testing.T) {
	content, err := os.ReadFile(pageOf(t, invented{n: 5, name: func(i int) string { return hostile[7] }}, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	if n := strings.Count(text, "</script>"); n != 4 {
		t.Errorf("%d scripts end, want 4", n)
	}
	if refs := regexp.MustCompile(`(?i)(?:src|href)="[^#"][^"]*"|url\(|@import|https?://`).FindAllString(text, -1); len(refs) != 1 || refs[0] != `href="data:,"` {
		t.Errorf("the page refers to %q", refs)
	}
	if !strings.Contains(text, `default-src 'none'`) || strings.Contains(text, "unsafe") {
		t.Error("the policy of the page is not strict")
	}
}

// axe runs axe-core where MUSTERTEST_AXE names its script (make accessibility).
func (b *browser) axe(t *testing.T) {
	t.Helper()
	name := os.Getenv("MUSTERTEST_AXE")
	if name == "" {
		return
	}
	script, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var found string
	b.run(t, chromedp.Evaluate(string(script)+";0", nil), chromedp.Evaluate(
		`axe.run().then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.html).slice(0, 3).join(" ")), null, 1))`,
		&found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if found != "[]" {
		t.Errorf("axe-core: %s", found)
	}
}
