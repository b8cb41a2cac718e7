/** Parts that both forms of the config contain. */

export const HOSTNAME_DOCUMENT = { apiVersion: 'v1alpha1', kind: 'HostnameConfig', auto: 'stable' };

export const POD_SECURITY = {
  apiVersion: 'pod-security.admission.config.k8s.io/v1alpha1',
  defaults: {
    audit: 'restricted',
    'audit-version': 'latest',
    enforce: 'baseline',
    'enforce-version': 'latest',
    warn: 'restricted',
    'warn-version': 'latest',
  },
  exemptions: { namespaces: ['kube-system'], runtimeClasses: [], usernames: [] },
  kind: 'PodSecurityConfiguration',
};

export const AUDIT_POLICY = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level: 'Metadata' }] };

export const NETWORK = {
  dnsDomain: 'cluster.local',
  podSubnets: ['10.244.0.0/16'],
  serviceSubnets: ['10.96.0.0/12'],
};

export const NO_LOAD_BALANCER_LABEL = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };

export const image = {
  kubelet: (version: string) => `ghcr.io/siderolabs/kubelet:${version}`,
  kubernetes: (component: string, version: string) => `registry.k8s.io/kube-${component}:${version}`,
};
