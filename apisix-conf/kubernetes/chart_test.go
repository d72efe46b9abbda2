//go:build chart

package kubernetes_test

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// TestTheOfficialChartTakesTheValues renders the chart in the directory $CHART
// with values.yaml, and reads what comes out as strictly as the API server does.
func TestTheOfficialChartTakesTheValues(t *testing.T) {
	dir := os.Getenv("CHART")
	if dir == "" {
		t.Fatal("CHART does not name the directory of the official chart, charts/apisix of github.com/apache/apisix-helm-chart")
	}
	objects := render(t, dir)
	kinds := map[string]int{}
	for _, object := range objects {
		kinds[object.GetObjectKind().GroupVersionKind().Kind]++
		switch o := object.(type) {
		case *appsv1.Deployment:
			checkDeployment(t, o)
		case *policyv1.PodDisruptionBudget:
			if o.Name == "apisix" {
				kinds["budget of APISIX"]++
			}
		case *corev1.ConfigMap:
			if text, there := o.Data["config.yaml"]; there && strings.Contains(text, "ext-plugin") {
				kinds["config.yaml"]++
				checkConfig(t, text)
			}
		}
	}
	for _, kind := range []string{"Deployment", "budget of APISIX", "config.yaml"} {
		if kinds[kind] != 1 {
			t.Errorf("%d of %s in %v", kinds[kind], kind, kinds)
		}
	}
}

func render(t *testing.T, dir string) (objects []runtime.Object) {
	t.Helper()
	chart, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	given, err := chartutil.ReadValues(read(t, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := chartutil.ProcessDependencies(chart, given); err != nil {
		t.Fatal(err)
	}
	version, err := chartutil.ParseKubeVersion("v1.33.0")
	if err != nil {
		t.Fatal(err)
	}
	cluster := chartutil.DefaultCapabilities.Copy()
	cluster.KubeVersion, cluster.APIVersions = *version, append(cluster.APIVersions, "policy/v1")
	all, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{Name: "apisix", Namespace: "apisix", IsInstall: true}, cluster)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		t.Fatal(err)
	}
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
			continue
		}
		decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
		for {
			var raw runtime.RawExtension
			if err := decoder.Decode(&raw); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(raw.Raw) == 0 || string(raw.Raw) == "null" {
				continue
			}
			object, _, err := strict.Decode(raw.Raw, nil, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			objects = append(objects, object)
		}
	}
	return objects
}

func checkDeployment(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	var sidecars []corev1.Container
	for _, c := range d.Spec.Template.Spec.InitContainers {
		if c.Name == "go-runner" {
			sidecars = append(sidecars, c)
		}
	}
	if len(sidecars) != 1 {
		t.Fatalf("%d side-cars", len(sidecars))
	}
	confined(t, sidecars[0])
	memory := false
	for _, v := range d.Spec.Template.Spec.Volumes {
		memory = memory || v.Name == "auth0-jwt-socket" && v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumMemory
	}
	mounted := false
	for _, m := range d.Spec.Template.Spec.Containers[0].VolumeMounts {
		mounted = mounted || m.Name == "auth0-jwt-socket" && m.MountPath == "/run/auth0-jwt"
	}
	if !memory || !mounted {
		t.Errorf("the socket's volume is in memory: %v, and mounted by APISIX: %v", memory, mounted)
	}
	before, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := yaml.YAMLToJSONStrict(read(t, "grace-period.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := strategicpatch.StrategicMergePatch(before, patch, appsv1.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	var patched appsv1.Deployment
	if err := yaml.UnmarshalStrict(after, &patched); err != nil {
		t.Fatal(err)
	}
	if grace := patched.Spec.Template.Spec.TerminationGracePeriodSeconds; grace == nil || *grace != 60 {
		t.Errorf("the grace period is %v", grace)
	}
}

func checkConfig(t *testing.T, text string) {
	t.Helper()
	var config struct {
		ExtPlugin struct {
			Path string `json:"path_for_test"`
		} `json:"ext-plugin"`
		Deployment struct {
			Admin struct {
				Keys []struct{ Key string } `json:"admin_key"`
			}
			Etcd struct{ Host []string }
		}
	}
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	d := config.Deployment
	if config.ExtPlugin.Path != "/run/auth0-jwt/runner.sock" || len(d.Admin.Keys) != 2 || d.Admin.Keys[0].Key != "${{APISIX_ADMIN_KEY}}" ||
		len(d.Etcd.Host) != 1 || d.Etcd.Host[0] != "http://apisix-etcd.apisix.svc.cluster.local:2379" {
		t.Errorf("config.yaml is\n%s", text)
	}
}
