package browsertest_test

import (
	"bytes"
	"cmp"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestScreenshots takes the pictures of the documents; make screenshots says
// where to.
func TestScreenshots(t *testing.T) {
	dir := cmp.Or(os.Getenv("SCREENSHOTS"), t.TempDir())
	v := newVisitor(t)
	v.do(chromedp.EmulateViewport(1440, 1000))
	v.after(func() { v.pick("tenants") }, "200", "forwarded")
	v.after(func() { v.pick("email") }, "403", "claim_mismatch")
	v.after(func() {
		v.write(".caller", "{\n  \"sub\": \"auth0|alice\",\n  \"email\": \"alice@example.com\",\n  \"email_verified\": true\n}")
	}, "200", "forwarded")
	v.click(".dock h2 button")
	v.act("load-start")
	v.waitForLoad()
	v.click(".dock h2 button")
	for _, p := range []struct {
		name, scheme string
		width, high  int64
		first        func()
	}{
		{"playground-light.png", "light", 1440, 1000, func() {}},
		{"playground-phone.png", "light", 390, 844, func() { script[bool](v.tab, `(document.querySelector(".outcome").scrollIntoView(), true)`) }},
		{"playground-dark.png", "dark", 1440, 1000, func() {
			v.after(func() { v.choose("expired") }, "401", "expired")
			v.click(".dock h2 button")
		}},
	} {
		v.do(chromedp.EmulateViewport(p.width, p.high))
		v.inColours(p.scheme)
		p.first()
		v.waitFor("the fonts", `document.fonts.status === "loaded"`)
		picture, err := chromedp.Run(v.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if size, err := png.DecodeConfig(bytes.NewReader(picture)); err != nil || size.Width != int(p.width) {
			t.Errorf("%s is %+v: %v", p.name, size, err)
		}
		if err := os.WriteFile(filepath.Join(dir, p.name), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	v.act("load-stop")
}
