package browsertest_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// binary is Chromium as Debian and others name it.
var binary = func() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}()

func TestMain(m *testing.M) {
	if binary == "" {
		fmt.Fprintln(os.Stderr, "These tests need Chromium (Debian: apt-get install chromium), which is not installed.")
		if os.Getenv("CI") != "" {
			os.Exit(1) // there nothing may be skipped
		}
		fmt.Fprintln(os.Stderr, "All of them are skipped.")
		os.Exit(0)
	}
	status, err := 0, error(nil)
	if site, err = startSite(); err == nil {
		status = m.Run()
	}
	if site != nil {
		if closing := site.close(); err == nil {
			err = closing
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}
