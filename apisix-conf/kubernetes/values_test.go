package kubernetes_test

import (
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// values are what of values.yaml the chart copies into its pods.
type values struct {
	ExtraInitContainers []corev1.Container                `json:"extraInitContainers"`
	ExtraVolumes        []corev1.Volume                   `json:"extraVolumes"`
	ExtraVolumeMounts   []corev1.VolumeMount              `json:"extraVolumeMounts"`
	SecurityContext     corev1.SecurityContext            `json:"securityContext"`
	Spread              []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints"`

	Image, UpdateStrategy, PodDisruptionBudget, APISIX map[string]any `json:",omitempty"`
	ReplicaCount                                       int            `json:"replicaCount"`
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTheSideCarIsConfined(t *testing.T) {
	var v values
	if err := yaml.UnmarshalStrict(read(t, "values.yaml"), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.ExtraInitContainers) != 1 {
		t.Fatalf("%d containers", len(v.ExtraInitContainers))
	}
	confined(t, v.ExtraInitContainers[0])
}

// confined reports as errors what a side-car may and does not need.
func confined(t *testing.T, c corev1.Container) {
	t.Helper()
	if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("an init container without restartPolicy: Always ends before APISIX starts")
	}
	s := c.SecurityContext
	switch {
	case s == nil:
		t.Fatal("no security context")
	case s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem,
		s.RunAsNonRoot == nil || !*s.RunAsNonRoot,
		s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation,
		s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) > 0,
		s.RunAsUser == nil || *s.RunAsUser != 636:
		t.Errorf("not confined: %v", s)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		t.Errorf("resources: %v", c.Resources)
	}
	for name, probe := range map[string]*corev1.Probe{"/readyz of the start": c.StartupProbe, "/readyz": c.ReadinessProbe, "/healthz": c.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil {
			t.Errorf("no probe asks %s", name)
		}
	}
}
