package runner_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"regexp"
	"time"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"golang.org/x/time/rate"
)

// exchange is what a filter sees.
type exchange struct {
	conf any
	w    http.ResponseWriter
	r    pkgHTTP.Request
}

func (f *filter) Name() string { return f.name }

func (f *filter) ParseConf(in []byte) (any, error) {
	if f.parse == nil {
		return string(in), nil
	}
	return f.parse(in)
}

func (f *filter) RequestFilter(conf any, w http.ResponseWriter, r pkgHTTP.Request) {
	f.run(exchange{conf, w, r})
}

// examples do what the example plugins of the official runner do.
func examples() []plugin.Plugin {
	return []plugin.Plugin{
		&filter{name: "say", parse: into[sayConf], run: say},
		&filter{name: "limit-req", parse: parseLimit, run: limit},
		&filter{name: "fault-injection", parse: parseFault, run: fault},
		&responseRewrite{},
	}
}

func into[T any](in []byte) (any, error) {
	var conf T
	err := json.Unmarshal(in, &conf)
	return conf, err
}

type sayConf struct{ Body string }

func say(x exchange) {
	body := x.conf.(sayConf).Body
	if body == "" {
		return
	}
	x.w.Header().Add("X-Resp-A6-Runner", "Go")
	_, _ = x.w.Write([]byte(body))
}

func parseLimit(in []byte) (any, error) {
	var conf struct {
		Burst int
		Rate  float64
	}
	if err := json.Unmarshal(in, &conf); err != nil {
		return nil, err
	}
	return rate.NewLimiter(rate.Limit(conf.Rate), conf.Burst), nil
}

func limit(x exchange) {
	reserved := x.conf.(*rate.Limiter).Reserve()
	if !reserved.OK() {
		x.w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	<-time.After(reserved.Delay())
}

type faultConf struct {
	Body       string
	HTTPStatus int `json:"http_status"`
	Percentage *int
}

func parseFault(in []byte) (any, error) {
	var conf faultConf
	if err := json.Unmarshal(in, &conf); err != nil {
		return nil, err
	}
	if conf.HTTPStatus < 200 {
		return nil, errors.New("bad http_status")
	}
	if conf.Percentage != nil && (*conf.Percentage < 0 || *conf.Percentage > 100) {
		return nil, errors.New("bad percentage")
	}
	return conf, nil
}

func fault(x exchange) {
	conf := x.conf.(faultConf)
	if conf.Percentage != nil && rand.IntN(100) >= *conf.Percentage {
		return
	}
	x.w.WriteHeader(conf.HTTPStatus)
	if conf.Body != "" {
		_, _ = x.w.Write([]byte(conf.Body))
	}
}

type rewriteConf struct {
	Status  int
	Headers map[string]string
	Body    string
	Filters []struct{ Regex, Scope, Replace string }
}

type responseRewrite struct{ plugin.DefaultPlugin }

func (*responseRewrite) Name() string                     { return "response-rewrite" }
func (*responseRewrite) ParseConf(in []byte) (any, error) { return into[rewriteConf](in) }

func (*responseRewrite) ResponseFilter(c any, w pkgHTTP.Response) {
	conf := c.(rewriteConf)
	if conf.Status > 0 {
		w.WriteHeader(conf.Status)
	}
	w.Header().Set("X-Resp-A6-Runner", "Go")
	for name, value := range conf.Headers {
		w.Header().Set(name, value)
	}
	body := []byte(conf.Body)
	if len(conf.Filters) > 0 {
		origin, err := w.ReadBody()
		if err != nil {
			return
		}
		body = nil
		for _, f := range conf.Filters {
			found := regexp.MustCompile(f.Regex).Find(origin)
			if found == nil {
				continue
			}
			times := 1
			if f.Scope == "global" {
				times = -1
			}
			origin = bytes.Replace(origin, found, []byte(f.Replace), times)
			body = origin
		}
	}
	if len(body) > 0 {
		_, _ = w.Write(body)
	}
}
