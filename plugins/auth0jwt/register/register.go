// Package register registers auth0-jwt with the official runner when it is
// imported. It knows one name, [Plugin], for those who want to configure it.
package register

import (
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// Plugin is the registered plugin, with the safe defaults of
// [auth0jwt.Options]. Configure it before the runner starts.
var Plugin = auth0jwt.New(auth0jwt.Options{})

func init() {
	if err := plugin.RegisterPlugin(Plugin); err != nil {
		// Two plugins of one name: the runner would run the other's checks
		// in place of ours.
		panic("auth0-jwt: " + err.Error())
	}
}
