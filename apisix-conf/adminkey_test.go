package apisixconf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// What APISIX 3.18 does about the key of its Admin API, read from its sources
// (apisix/cli/file.lua, apisix/cli/ops.lua, apisix/core/id.lua,
// apisix/admin/init.lua):
//
//   - Without deployment.admin.admin_key the default holds: one key, "".
//   - In the roles traditional and control_plane it makes a key in place of an
//     empty one, even with admin_key_required: false or enable_admin: false, and
//     writes it into config.yaml; it ends with exit 1 where it may not.
//   - ${{NAME}} is the variable's value, ${{NAME:=VALUE}} has a default. One that
//     is not set ends it; one that is set and empty is an empty key.
//   - With admin_key: [] it ends, and with null or admin_key_required: false its
//     Admin API asks nobody for a key.
//   - A data_plane has no Admin API.
//
// The demo asks for more: a key is never in a file that git keeps, and
// config.yaml is mounted read-only.

// apisixConfig is the part of a config.yaml that those rules read.
type apisixConfig struct {
	Deployment struct {
		Role  string
		Admin struct {
			AdminKey         yaml.Node `yaml:"admin_key"`
			AdminKeyRequired *bool     `yaml:"admin_key_required"`
		}
	}
}

type adminKeyEntry struct{ Name, Key, Role string }

// service is the part of a service of docker-compose.yml that they need.
type service struct {
	Environment map[string]string
	Volumes     []string
}

type composeFile struct{ Services map[string]service }

var (
	keyFromEnvironment = regexp.MustCompile(`^\$\{\{\s*(\w+)\s*\}\}$`)
	// required is what Compose refuses to start without: unset and empty alike.
	required = regexp.MustCompile(`^\$\{\w+:\?[^}]+\}$`)
)

// adminKeyFaults are the rules that a config.yaml breaks in a service.
func adminKeyFaults(config []byte, s service) (faults []string, err error) {
	var c apisixConfig
	if err := yaml.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	admin := c.Deployment.Admin
	if c.Deployment.Role == "data_plane" {
		return nil, nil
	}
	if admin.AdminKeyRequired != nil && !*admin.AdminKeyRequired {
		faults = append(faults, "admin_key_required is false: the Admin API asks nobody for a key")
	}
	if admin.AdminKey.IsZero() {
		return append(faults, "admin_key is missing: APISIX makes one and writes it into config.yaml"), nil
	}
	var entries []adminKeyEntry
	if err := admin.AdminKey.Decode(&entries); err != nil {
		return nil, fmt.Errorf("admin_key: %w", err)
	}
	if len(entries) == 0 {
		faults = append(faults, "admin_key has no entry: APISIX does not start, or asks nobody for a key")
	}
	for at, entry := range entries {
		if fault := keyFault(entry, s); fault != "" {
			faults = append(faults, fmt.Sprintf("admin_key[%d].%s", at, fault))
		}
	}
	return faults, nil
}

// keyFault is the rule that an entry breaks, or "".
func keyFault(entry adminKeyEntry, s service) string {
	if entry.Role != "admin" && entry.Role != "viewer" {
		return fmt.Sprintf("role is %q: give admin or viewer", entry.Role)
	}
	if entry.Key == "" {
		return "key is empty: APISIX makes one and writes it into config.yaml, or takes an empty X-API-KEY"
	}
	name := keyFromEnvironment.FindStringSubmatch(entry.Key)
	if name == nil {
		return "key is not ${{NAME}}: whoever reads this file knows it"
	}
	value, passed := s.Environment[name[1]]
	switch {
	case !passed:
		return "key names " + name[1] + ", which docker-compose.yml does not pass to the service: APISIX does not start"
	case !required.MatchString(value):
		return "key names " + name[1] + ", which may be empty: docker-compose.yml must ask for it with ${" + name[1] + ":?message}"
	}
	return ""
}

const configPath = "/usr/local/apisix/conf/config.yaml"

// mounts are the services that mount each config.yaml, by its path below this
// directory, and how they mount it.
func mounts(compose composeFile) map[string][]mount {
	found := map[string][]mount{}
	for name, s := range compose.Services {
		for _, volume := range s.Volumes {
			if parts := strings.Split(volume, ":"); len(parts) >= 2 && parts[1] == configPath {
				file := strings.TrimPrefix(parts[0], "./apisix-conf/")
				found[file] = append(found[file], mount{name, s, len(parts) == 3 && parts[2] == "ro"})
			}
		}
	}
	return found
}

type mount struct {
	name     string
	service  service
	readOnly bool
}

func TestEveryConfigYAMLHasAnAdminKeyThatItsServiceGets(t *testing.T) {
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose composeFile
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*/config.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no config.yaml: %v", err)
	}
	mounted := mounts(compose)
	for _, file := range files {
		if len(mounted[file]) == 0 {
			t.Errorf("%s: no service of docker-compose.yml mounts it", file)
		}
	}
	for file, services := range mounted {
		config, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("docker-compose.yml: %v", err)
			continue
		}
		for _, m := range services {
			faults, err := adminKeyFaults(config, m.service)
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			for _, fault := range faults {
				t.Errorf("%s, as service %s has it (read-only: %v): %s", file, m.name, m.readOnly, fault)
			}
			if !m.readOnly {
				t.Errorf("%s: service %s may write it: mount it read-only, so that no key can get into it", file, m.name)
			}
		}
	}
}

func TestWhatAnAdminKeyMustBe(t *testing.T) {
	const role = "deployment:\n  role: traditional\n"
	passed := service{Environment: map[string]string{"ADMIN_KEY": "${ADMIN_KEY:?run make up}"}}
	for name, tc := range map[string]struct {
		config  string
		service service
		want    []string // a piece of each fault, in order
	}{
		"from the environment": {
			config:  role + "  admin:\n    admin_key: [{name: admin, key: \"${{ADMIN_KEY}}\", role: admin}]\n",
			service: passed,
		},
		"a data plane needs none": {config: "deployment: {role: data_plane}\n"},
		"no deployment at all":    {config: "apisix: {node_listen: 9080}\n", want: []string{"admin_key is missing"}},
		"no key":                  {config: role, service: passed, want: []string{"admin_key is missing"}},
		"no key, and none asked for": {
			config: role + "  admin: {admin_key_required: false}\n", service: passed,
			want: []string{"asks nobody", "admin_key is missing"},
		},
		"a key, and none asked for": {
			config:  role + "  admin:\n    admin_key_required: false\n    admin_key: [{key: \"${{ADMIN_KEY}}\", role: admin}]\n",
			service: passed, want: []string{"asks nobody"},
		},
		"an empty list": {config: role + "  admin: {admin_key: []}\n", want: []string{"has no entry"}},
		"null":          {config: role + "  admin: {admin_key: null}\n", want: []string{"has no entry"}},
		"an empty key":  {config: role + "  admin: {admin_key: [{key: '', role: admin}]}\n", want: []string{"admin_key[0].key is empty"}},
		"a second, empty key": {
			config:  role + "  admin: {admin_key: [{key: '${{ADMIN_KEY}}', role: admin}, {key: '', role: viewer}]}\n",
			service: passed, want: []string{"admin_key[1].key is empty"},
		},
		"a key in the file": {
			config: role + "  admin: {admin_key: [{key: edd1c9f034335f136f87ad84b625c8f1, role: admin}]}\n",
			want:   []string{"whoever reads this file"},
		},
		"a default in the file": {
			config:  role + "  admin: {admin_key: [{key: '${{ADMIN_KEY:=admin}}', role: admin}]}\n",
			service: passed, want: []string{"whoever reads this file"},
		},
		"a variable that is not passed": {
			config: role + "  admin: {admin_key: [{key: '${{ADMIN_KEY}}', role: admin}]}\n",
			want:   []string{"does not pass"},
		},
		"a variable that may be empty": {
			config:  role + "  admin: {admin_key: [{key: '${{ADMIN_KEY}}', role: admin}]}\n",
			service: service{Environment: map[string]string{"ADMIN_KEY": "${ADMIN_KEY}"}},
			want:    []string{"may be empty"},
		},
		"a variable that may be set to nothing": {
			config:  role + "  admin: {admin_key: [{key: '${{ADMIN_KEY}}', role: admin}]}\n",
			service: service{Environment: map[string]string{"ADMIN_KEY": "${ADMIN_KEY?run make up}"}},
			want:    []string{"may be empty"},
		},
		"another role": {
			config:  role + "  admin: {admin_key: [{key: '${{ADMIN_KEY}}'}]}\n",
			service: passed, want: []string{"role is \"\""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			faults, err := adminKeyFaults([]byte(tc.config), tc.service)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(faults, tc.want, strings.Contains) {
				t.Errorf("got %q, want %q", faults, tc.want)
			}
		})
	}
}
