/** What a lab node does not do, or bends, beyond its network: for `fairlead lab info`. */
export const NODE_LIMITS: readonly string[] = [
  'kube-controller-manager and kube-scheduler only have static pods and mirror pods to show; nothing runs in them, and no node runs workloads.',
  'kube-apiserver gets --authorization-mode=Node,RBAC instead of a rendered authorization file; admission, audit-policy and encryption files are not rendered.',
  "A worker's kubelet gets its client certificate from trustd, as no controller-manager signs requests.",
  'Talos API: sizes, counters and processor times are constants of the lab or grow with uptime; files are the few that Talos writes and clients ask for; packet captures stay empty.',
  'Talos API: etcd may be restarted and the kubelet stopped, which Talos refuses; recovery of etcd from a snapshot and a change of its version are not built.',
  "Talos API, where what clients were recorded with and Talos' source differ, the recording is followed: in maintenance the version is told by releases before 1.13 too, a missing file is refused as `open …: no such file`, a health check of named nodes also knows what discovery knows, and a wipe of a disk that the machine does not have succeeds and does nothing.",
  'Images are not fetched: an installer brings the release that its tag names, of those the lab has. A reset of the whole disk leaves the boot image on it.',
  'A drain finds no pods to move but static ones, which stay: it marks the Node, and the next boot takes the mark off.',
  'With a speed above 1, a machine that has just booted says once more that it is ready to whoever begins to watch its events.',
  "The control plane's own health check asks the machine's own API server where the endpoint is a name; it finds neither kube-proxy nor CoreDNS.",
  'Talos resources: every type of the release is told of; those that nothing in the lab gives rise to are empty, and hardware, routes, resolvers and time servers are what a small Hetzner server shows, not what the lab uses.',
  "KubePrism (7445) listens on the machine's own addresses, where others reach it too; in Talos, on localhost. It looks for a living API server when a client comes, not every second.",
  'A clock that a fault has put wrong shows in what Talos tells and signs; real etcd and kube-apiserver keep the time of this computer.',
];
