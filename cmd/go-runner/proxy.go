package main

import (
	"errors"
	"net/url"
	"os"
	"slices"
)

// proxyURL is what --proxy names; "" leaves it to the environment.
type proxyURL string

// proxyVariables are where [net/http.ProxyFromEnvironment] reads proxies, which
// whatever the runner fetches by goes through. A runner that APISIX starts has
// none of them.
var proxyVariables = []string{"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"}

var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// Type implements pflag.Value.
func (*proxyURL) Type() string { return "URL" }

func (p *proxyURL) String() string { return string(*p) }

// Set implements pflag.Value. Its errors do not repeat the text, which may hold a
// password.
func (p *proxyURL) Set(text string) error {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(proxySchemes, u.Scheme) || u.Hostname() == "" ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("want a URL such as http://proxy.example.com:3128, of http, https or socks5, without a path")
	}
	*p = proxyURL(text)
	return nil
}

// use makes it the proxy of this process. It is called before anything is
// fetched, since the environment is read once.
func (p proxyURL) use() error {
	if p == "" {
		return nil
	}
	for _, name := range proxyVariables {
		if err := os.Setenv(name, string(p)); err != nil {
			return cannotRun("--proxy: %w", err)
		}
	}
	return nil
}
