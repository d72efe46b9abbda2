// Package browsertest holds the tests in a real Chromium: of browser sessions, with
// an application behind the gateway double and the real runner, on https, and of
// the playground's page. It must not know how a session is kept, nor the page's
// program.
package browsertest
