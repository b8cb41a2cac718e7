/** What `fairlead init` writes. A test parses it: it must be valid as it stands. */
export const exampleConfig = (name: string): string => `# yaml-language-server: $schema=fairlead.schema.json
apiVersion: fairlead/v1alpha1
kind: Cluster
# The Talos cluster's name (cluster.clusterName).
name: ${name}
# Who moves the address: Talos' own VIP. (load-balancer and guard are not built yet.)
mode: talos-vip
endpoint:
  # host: api.example.com   # a DNS name; absent = the address itself
  port: 6443
address:
  # Reserve a new floating IP …
  create:
    name: ${name}-api
    location: fsn1
  # … or use one that exists:
  # adopt:
  #   name: ${name}-api
hetzner:
  # Never a secret in this file: env:NAME or file:PATH.
  token: env:HCLOUD_TOKEN
talosVip:
  # This one is written onto every control plane. A token of its own can be revoked by itself.
  token: env:TALOS_VIP_TOKEN
talos:
  config: file:talosconfig
kubernetes:
  kubeconfig: file:kubeconfig
consumers:
  kubeconfig:
    - file: kubeconfig
  talosconfig:
    - file: talosconfig
  # repository:
  #   path: .   # the folder that holds talos/{cluster,control-planes,workers}
state: .fairlead/state
`;
