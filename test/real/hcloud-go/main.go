// Command hcloud-go lets Hetzner's own Go library (the one of Terraform, the cloud controller and the hcloud CLI) do its
// work against HCLOUD_ENDPOINT: every resource is made, found by id, name and label, changed, waited for with the library's
// own poller, and deleted. It prints one JSON array of steps; a step without "error" did what it says.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

type step struct {
	Name  string `json:"name"`
	Error string `json:"error,omitempty"`
}

var (
	client *hcloud.Client
	ctx    context.Context
	steps  []step
)

func do(name string, work func() error) {
	done := step{Name: name}
	defer func() {
		if r := recover(); r != nil {
			done.Error = fmt.Sprintf("panic: %v", r)
		}
		steps = append(steps, done)
	}()
	if err := work(); err != nil {
		done.Error = err.Error()
	}
}

func must[T any](value T, _ *hcloud.Response, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func wait(action *hcloud.Action, _ *hcloud.Response, err error) {
	if err != nil {
		panic(err)
	}
	waitAll(action)
}

func waitAll(actions ...*hcloud.Action) {
	if err := client.Action.WaitFor(ctx, actions...); err != nil {
		panic(err)
	}
}

func check(holds bool, what string, values ...any) {
	if !holds {
		panic(what + ": " + fmt.Sprintf("%+v", values))
	}
}

func refused(code hcloud.ErrorCode, err error) error {
	if hcloud.IsError(err, code) {
		return nil
	}
	return fmt.Errorf("wanted %s, got %w", code, errors.Join(err))
}

func main() {
	var cancel context.CancelFunc
	ctx, cancel = context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	client = hcloud.NewClient(
		hcloud.WithEndpoint(os.Getenv("HCLOUD_ENDPOINT")),
		hcloud.WithToken(os.Getenv("HCLOUD_TOKEN")),
		hcloud.WithApplication("fairlead-test", "1"),
		hcloud.WithPollOpts(hcloud.PollOpts{BackoffFunc: hcloud.ConstantBackoff(20 * time.Millisecond)}),
	)
	lookups()
	keys()
	servers()
	images()
	floatingIPs()
	primaryIPs()
	networks()
	firewalls()
	placementGroups()
	certificates()
	balancers()
	zones()
	refusals()
	_ = json.NewEncoder(os.Stdout).Encode(steps)
}

func lookups() {
	do("catalogue: locations, types, images, ISOs and prices are read by list, name and id", func() error {
		locations := must3(client.Location.All(ctx))
		check(len(locations) >= 3 && locations[0].NetworkZone == hcloud.NetworkZoneEUCentral, "locations", locations)
		check(must(client.Location.Get(ctx, "fsn1")).Name == "fsn1", "location by name")
		types := must3(client.ServerType.All(ctx))
		check(len(types) > 0 && len(types[0].Pricings) > 0 && types[0].Cores > 0, "server types", types)
		check(must(client.ServerType.GetByID(ctx, types[0].ID)).Name == types[0].Name, "server type by id")
		balancers := must3(client.LoadBalancerType.All(ctx))
		check(len(balancers) > 0 && balancers[0].MaxTargets > 0, "load balancer types", balancers)
		check(len(must3(client.Image.All(ctx))) > 0, "images")
		image := must(client.Image.GetByNameAndArchitecture(ctx, "debian-12", hcloud.ArchitectureX86))
		check(image != nil && image.Architecture == hcloud.ArchitectureX86, "image by name and architecture", image)
		check(len(must3(client.ISO.All(ctx))) > 0, "ISOs")
		prices := must(client.Pricing.Get(ctx))
		check(len(prices.FloatingIPs) > 0 && len(prices.LoadBalancerTypes) > 0 && len(prices.ServerTypes) > 0, "prices")
		return nil
	})
}

func must3[T any](value T, err error) T { return must(value, nil, err) }

func keys() {
	do("SSH keys: made, found by name and fingerprint, renamed, deleted", func() error {
		key := must(client.SSHKey.Create(ctx, hcloud.SSHKeyCreateOpts{
			Name:      "go",
			PublicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGExampleExampleExampleExampleExampleExampleExam go@test",
			Labels:    map[string]string{"by": "go"},
		}))
		check(must(client.SSHKey.GetByFingerprint(ctx, key.Fingerprint)).ID == key.ID, "by fingerprint")
		check(must(client.SSHKey.Update(ctx, key, hcloud.SSHKeyUpdateOpts{Name: "gone"})).Name == "gone", "renamed")
		_, err := client.SSHKey.Delete(ctx, key)
		return err
	})
}

func makeServer(name string, labels map[string]string) *hcloud.Server {
	made := must(client.Server.Create(ctx, hcloud.ServerCreateOpts{
		Name:       name,
		ServerType: &hcloud.ServerType{Name: "cx33"},
		Image:      &hcloud.Image{Name: "debian-12"},
		Location:   &hcloud.Location{Name: "fsn1"},
		Labels:     labels,
		UserData:   "#!/bin/sh\n",
	}))
	waitAll(append([]*hcloud.Action{made.Action}, made.NextActions...)...)
	return must(client.Server.GetByID(ctx, made.Server.ID))
}

func removeServer(server *hcloud.Server) {
	waitAll(must(client.Server.DeleteWithResult(ctx, server)).Action)
}

func servers() {
	var server *hcloud.Server
	do("servers: made and started, with the address they were given", func() error {
		server = makeServer("go-1", map[string]string{"by": "go"})
		check(server.Status == hcloud.ServerStatusRunning, "running", server.Status)
		check(server.PublicNet.IPv4.IP.To4() != nil && server.PublicNet.IPv6.Network != nil, "addresses", server.PublicNet)
		check(server.Location != nil && server.ServerType.Name == "cx33" && server.Image.Name == "debian-12", "what it is")
		return nil
	})
	do("servers: found by name, label, status and id as text", func() error {
		check(must(client.Server.GetByName(ctx, "go-1")).ID == server.ID, "by name")
		check(must(client.Server.Get(ctx, fmt.Sprint(server.ID))).ID == server.ID, "by id as text")
		found := must3(client.Server.AllWithOpts(ctx, hcloud.ServerListOpts{
			ListOpts: hcloud.ListOpts{LabelSelector: "by=go"},
			Status:   []hcloud.ServerStatus{hcloud.ServerStatusRunning},
			Sort:     []string{"created:desc", "id"},
		}))
		check(len(found) == 1 && found[0].ID == server.ID, "by label", len(found))
		check(must(client.Server.GetByID(ctx, 1)) == nil, "one that is not there is nil")
		return nil
	})
	do("servers: renamed, labelled, protected and unprotected", func() error {
		server = must(client.Server.Update(ctx, server, hcloud.ServerUpdateOpts{Name: "go-one", Labels: map[string]string{"a": ""}}))
		check(server.Name == "go-one" && len(server.Labels) == 1, "changed", server.Name, server.Labels)
		wait(client.Server.ChangeProtection(ctx, server, hcloud.ServerChangeProtectionOpts{Delete: hcloud.Ptr(true), Rebuild: hcloud.Ptr(true)}))
		_, _, err := client.Server.DeleteWithResult(ctx, server)
		check(refused(hcloud.ErrorCodeProtected, err) == nil, "protected", err)
		wait(client.Server.ChangeProtection(ctx, server, hcloud.ServerChangeProtectionOpts{Delete: hcloud.Ptr(false), Rebuild: hcloud.Ptr(false)}))
		return nil
	})
	do("servers: off, another type, on, reboot, reset, shutdown", func() error {
		wait(client.Server.Poweroff(ctx, server))
		wait(client.Server.ChangeType(ctx, server, hcloud.ServerChangeTypeOpts{ServerType: &hcloud.ServerType{Name: "cx43"}, UpgradeDisk: true}))
		wait(client.Server.Poweron(ctx, server))
		wait(client.Server.Reboot(ctx, server))
		wait(client.Server.Reset(ctx, server))
		check(must(client.Server.GetByID(ctx, server.ID)).ServerType.Name == "cx43", "type")
		return nil
	})
	do("servers: rescue, ISO, password, console, reverse DNS, metrics", func() error {
		rescue := must(client.Server.EnableRescue(ctx, server, hcloud.ServerEnableRescueOpts{Type: hcloud.ServerRescueTypeLinux64}))
		waitAll(rescue.Action)
		check(rescue.RootPassword != "" && must(client.Server.GetByID(ctx, server.ID)).RescueEnabled, "rescue")
		wait(client.Server.DisableRescue(ctx, server))
		iso := must3(client.ISO.All(ctx))[0]
		wait(client.Server.AttachISO(ctx, server, iso))
		check(must(client.Server.GetByID(ctx, server.ID)).ISO.ID == iso.ID, "ISO")
		wait(client.Server.DetachISO(ctx, server))
		password := must(client.Server.ResetPassword(ctx, server))
		waitAll(password.Action)
		console := must(client.Server.RequestConsole(ctx, server))
		waitAll(console.Action)
		check(strings.HasPrefix(console.WSSURL, "wss://") && console.Password != "", "console")
		ip := server.PublicNet.IPv4.IP.String()
		wait(client.Server.ChangeDNSPtr(ctx, server, ip, hcloud.Ptr("go.example.com")))
		check(must(client.Server.GetByID(ctx, server.ID)).PublicNet.IPv4.DNSPtr == "go.example.com", "reverse DNS")
		_, _, err := client.Server.GetMetrics(ctx, server, hcloud.ServerGetMetricsOpts{
			Types: []hcloud.ServerMetricType{hcloud.ServerMetricCPU}, Start: time.Now().Add(-time.Hour), End: time.Now(), Step: 60,
		})
		return err
	})
}

func images() {
	do("images: backups and snapshots of a server, described, protected, used, deleted", func() error {
		server := must(client.Server.GetByName(ctx, "go-one"))
		wait(client.Server.EnableBackup(ctx, server, ""))
		made := must(client.Server.CreateImage(ctx, server, &hcloud.ServerCreateImageOpts{Type: hcloud.ImageTypeBackup}))
		waitAll(made.Action)
		image := must(client.Image.Update(ctx, made.Image, hcloud.ImageUpdateOpts{
			Description: hcloud.Ptr("kept"), Type: hcloud.ImageTypeSnapshot, Labels: map[string]string{"by": "go"},
		}))
		check(image.Type == hcloud.ImageTypeSnapshot && image.Description == "kept" && image.CreatedFrom.ID == server.ID, "image", image)
		wait(client.Image.ChangeProtection(ctx, image, hcloud.ImageChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
		_, err := client.Image.Delete(ctx, image)
		check(refused(hcloud.ErrorCodeProtected, err) == nil, "protected", err)
		wait(client.Image.ChangeProtection(ctx, image, hcloud.ImageChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
		waitAll(must(client.Server.RebuildWithResult(ctx, server, hcloud.ServerRebuildOpts{Image: image})).Action)
		wait(client.Server.DisableBackup(ctx, server))
		_, err = client.Image.Delete(ctx, image)
		return err
	})
}

func floatingIPs() {
	do("floating IPs: made, assigned, moved, named, protected, unassigned, deleted", func() error {
		one, two := must(client.Server.GetByName(ctx, "go-one")), makeServer("go-2", nil)
		made := must(client.FloatingIP.Create(ctx, hcloud.FloatingIPCreateOpts{
			Type: hcloud.FloatingIPTypeIPv4, Name: hcloud.Ptr("go"), Server: one, Labels: map[string]string{"by": "go"},
		}))
		waitAll(made.Action)
		ip := must(client.FloatingIP.GetByName(ctx, "go"))
		check(ip.Server.ID == one.ID && ip.HomeLocation.Name == "fsn1" && ip.IP.To4() != nil, "assigned", ip)
		wait(client.FloatingIP.Assign(ctx, ip, two))
		check(must(client.FloatingIP.GetByID(ctx, ip.ID)).Server.ID == two.ID, "moved")
		_, err := client.FloatingIP.Delete(ctx, ip)
		check(err != nil && strings.Contains(err.Error(), "must_be_unassigned"), "must be unassigned", err)
		wait(client.FloatingIP.ChangeDNSPtr(ctx, ip, ip.IP.String(), hcloud.Ptr("api.example.com")))
		check(must(client.FloatingIP.GetByID(ctx, ip.ID)).DNSPtrForIP(ip.IP) == "api.example.com", "reverse DNS")
		wait(client.FloatingIP.ChangeProtection(ctx, ip, hcloud.FloatingIPChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
		wait(client.FloatingIP.Unassign(ctx, ip))
		_, err = client.FloatingIP.Delete(ctx, ip)
		check(refused(hcloud.ErrorCodeProtected, err) == nil, "protected", err)
		wait(client.FloatingIP.ChangeProtection(ctx, ip, hcloud.FloatingIPChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
		must(client.FloatingIP.Update(ctx, ip, hcloud.FloatingIPUpdateOpts{Description: "d", Name: "go-ip"}))
		six := must(client.FloatingIP.Create(ctx, hcloud.FloatingIPCreateOpts{Type: hcloud.FloatingIPTypeIPv6, HomeLocation: &hcloud.Location{Name: "hel1"}}))
		check(six.FloatingIP.Network != nil && six.Action == nil, "IPv6", six.FloatingIP)
		for _, each := range []*hcloud.FloatingIP{ip, six.FloatingIP} {
			if _, err := client.FloatingIP.Delete(ctx, each); err != nil {
				return err
			}
		}
		removeServer(two)
		return nil
	})
}

func primaryIPs() {
	do("Primary IPs: made, found by address, given to a server that is off, taken back, deleted", func() error {
		made := must(client.PrimaryIP.Create(ctx, hcloud.PrimaryIPCreateOpts{
			Name: "go", Type: hcloud.PrimaryIPTypeIPv4, AssigneeType: "server", Location: "fsn1",
		}))
		ip := made.PrimaryIP
		check(must(client.PrimaryIP.GetByIP(ctx, ip.IP.String())).ID == ip.ID, "by address")
		server := must(client.Server.GetByName(ctx, "go-one"))
		_, _, err := client.PrimaryIP.Unassign(ctx, server.PublicNet.IPv4.ID)
		check(hcloud.IsError(err, "server_not_stopped"), "only of a server that is off", err)
		wait(client.Server.Poweroff(ctx, server))
		own := server.PublicNet.IPv4.ID
		wait(client.PrimaryIP.Unassign(ctx, own))
		wait(client.PrimaryIP.Assign(ctx, hcloud.PrimaryIPAssignOpts{ID: ip.ID, AssigneeID: server.ID, AssigneeType: "server"}))
		check(must(client.Server.GetByID(ctx, server.ID)).PublicNet.IPv4.IP.Equal(ip.IP), "assigned")
		wait(client.PrimaryIP.ChangeDNSPtr(ctx, hcloud.PrimaryIPChangeDNSPtrOpts{ID: ip.ID, IP: ip.IP.String(), DNSPtr: "p.example.com"}))
		wait(client.PrimaryIP.ChangeProtection(ctx, hcloud.PrimaryIPChangeProtectionOpts{ID: ip.ID, Delete: true}))
		wait(client.PrimaryIP.ChangeProtection(ctx, hcloud.PrimaryIPChangeProtectionOpts{ID: ip.ID, Delete: false}))
		must(client.PrimaryIP.Update(ctx, ip, hcloud.PrimaryIPUpdateOpts{Name: "go-ip", AutoDelete: hcloud.Ptr(false)}))
		wait(client.PrimaryIP.Unassign(ctx, ip.ID))
		wait(client.PrimaryIP.Assign(ctx, hcloud.PrimaryIPAssignOpts{ID: own, AssigneeID: server.ID, AssigneeType: "server"}))
		wait(client.Server.Poweron(ctx, server))
		_, err = client.PrimaryIP.Delete(ctx, ip)
		return err
	})
}

func cidr(text string) *net.IPNet {
	_, network, err := net.ParseCIDR(text)
	if err != nil {
		panic(err)
	}
	return network
}

func networks() {
	do("networks: made, subnets and routes, servers and alias addresses, protected, deleted", func() error {
		network := must(client.Network.Create(ctx, hcloud.NetworkCreateOpts{Name: "go", IPRange: cidr("10.0.0.0/15"), Labels: map[string]string{"by": "go"}}))
		wait(client.Network.AddSubnet(ctx, network, hcloud.NetworkAddSubnetOpts{Subnet: hcloud.NetworkSubnet{
			Type: hcloud.NetworkSubnetTypeCloud, IPRange: cidr("10.0.1.0/24"), NetworkZone: hcloud.NetworkZoneEUCentral,
		}}))
		wait(client.Network.AddRoute(ctx, network, hcloud.NetworkAddRouteOpts{Route: hcloud.NetworkRoute{
			Destination: cidr("10.100.0.0/16"), Gateway: net.ParseIP("10.0.1.5"),
		}}))
		server := must(client.Server.GetByName(ctx, "go-one"))
		wait(client.Server.AttachToNetwork(ctx, server, hcloud.ServerAttachToNetworkOpts{Network: network, IP: net.ParseIP("10.0.1.7")}))
		wait(client.Server.ChangeAliasIPs(ctx, server, hcloud.ServerChangeAliasIPsOpts{Network: network, AliasIPs: []net.IP{net.ParseIP("10.0.1.99")}}))
		server = must(client.Server.GetByID(ctx, server.ID))
		private := server.PrivateNetFor(network)
		check(private.IP.String() == "10.0.1.7" && len(private.Aliases) == 1 && private.MACAddress != "", "private", private)
		network = must(client.Network.GetByID(ctx, network.ID))
		check(len(network.Servers) == 1 && len(network.Subnets) == 1 && network.Subnets[0].Gateway.String() == "10.0.0.1", "network", network)
		wait(client.Server.DetachFromNetwork(ctx, server, hcloud.ServerDetachFromNetworkOpts{Network: network}))
		wait(client.Network.DeleteRoute(ctx, network, hcloud.NetworkDeleteRouteOpts{Route: network.Routes[0]}))
		wait(client.Network.DeleteSubnet(ctx, network, hcloud.NetworkDeleteSubnetOpts{Subnet: network.Subnets[0]}))
		wait(client.Network.ChangeIPRange(ctx, network, hcloud.NetworkChangeIPRangeOpts{IPRange: cidr("10.0.0.0/14")}))
		wait(client.Network.ChangeProtection(ctx, network, hcloud.NetworkChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
		_, err := client.Network.Delete(ctx, network)
		check(refused(hcloud.ErrorCodeProtected, err) == nil, "protected", err)
		wait(client.Network.ChangeProtection(ctx, network, hcloud.NetworkChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
		must(client.Network.Update(ctx, network, hcloud.NetworkUpdateOpts{Name: "go-net"}))
		_, err = client.Network.Delete(ctx, network)
		return err
	})
}

func firewalls() {
	do("firewalls: made with rules, applied by server and label, changed, taken off, deleted", func() error {
		server := must(client.Server.GetByName(ctx, "go-one"))
		rule := hcloud.FirewallRule{
			Direction: hcloud.FirewallRuleDirectionIn, Protocol: hcloud.FirewallRuleProtocolTCP, Port: hcloud.Ptr("6443"),
			SourceIPs: []net.IPNet{*cidr("0.0.0.0/0"), *cidr("::/0")}, Description: hcloud.Ptr("api"),
		}
		made := must(client.Firewall.Create(ctx, hcloud.FirewallCreateOpts{Name: "go", Rules: []hcloud.FirewallRule{rule}}))
		waitAll(made.Actions...)
		resource := hcloud.FirewallResource{Type: hcloud.FirewallResourceTypeServer, Server: &hcloud.FirewallResourceServer{ID: server.ID}}
		labels := hcloud.FirewallResource{
			Type: hcloud.FirewallResourceTypeLabelSelector, LabelSelector: &hcloud.FirewallResourceLabelSelector{Selector: "by=nobody"},
		}
		waitAll(must(client.Firewall.ApplyResources(ctx, made.Firewall, []hcloud.FirewallResource{resource, labels}))...)
		firewall := must(client.Firewall.GetByName(ctx, "go"))
		check(len(firewall.AppliedTo) == 2 && len(firewall.Rules) == 1 && *firewall.Rules[0].Port == "6443", "firewall", firewall)
		check(len(must(client.Server.GetByID(ctx, server.ID)).PublicNet.Firewalls) == 1, "shown on the server")
		_, err := client.Firewall.Delete(ctx, firewall)
		check(refused(hcloud.ErrorCodeResourceInUse, err) == nil, "in use", err)
		waitAll(must(client.Firewall.SetRules(ctx, firewall, hcloud.FirewallSetRulesOpts{Rules: []hcloud.FirewallRule{}}))...)
		waitAll(must(client.Firewall.RemoveResources(ctx, firewall, []hcloud.FirewallResource{resource, labels}))...)
		must(client.Firewall.Update(ctx, firewall, hcloud.FirewallUpdateOpts{Name: "go-fw"}))
		_, err = client.Firewall.Delete(ctx, firewall)
		return err
	})
}

func placementGroups() {
	do("placement groups: made, joined by a server that is off, left, deleted", func() error {
		made := must(client.PlacementGroup.Create(ctx, hcloud.PlacementGroupCreateOpts{Name: "go", Type: hcloud.PlacementGroupTypeSpread}))
		if made.Action != nil {
			waitAll(made.Action)
		}
		server := must(client.Server.GetByName(ctx, "go-one"))
		wait(client.Server.Poweroff(ctx, server))
		wait(client.Server.AddToPlacementGroup(ctx, server, made.PlacementGroup))
		check(must(client.Server.GetByID(ctx, server.ID)).PlacementGroup.ID == made.PlacementGroup.ID, "joined")
		wait(client.Server.RemoveFromPlacementGroup(ctx, server))
		wait(client.Server.Poweron(ctx, server))
		must(client.PlacementGroup.Update(ctx, made.PlacementGroup, hcloud.PlacementGroupUpdateOpts{Name: "go-pg"}))
		_, err := client.PlacementGroup.Delete(ctx, made.PlacementGroup)
		return err
	})
}

func pair(name string) (string, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err)
	}
	encode := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	return encode("CERTIFICATE", der), encode("EC PRIVATE KEY", private)
}

func certificates() {
	do("certificates: an uploaded one is read and deleted, a managed one is issued", func() error {
		certificate, key := pair("go.example.com")
		made := must(client.Certificate.Create(ctx, hcloud.CertificateCreateOpts{Name: "go", Type: hcloud.CertificateTypeUploaded, Certificate: certificate, PrivateKey: key}))
		check(len(made.DomainNames) == 1 && made.Fingerprint != "" && made.Certificate == certificate, "uploaded", made)
		must(client.Certificate.Update(ctx, made, hcloud.CertificateUpdateOpts{Name: "go-cert", Labels: map[string]string{"by": "go"}}))
		if _, err := client.Certificate.Delete(ctx, made); err != nil {
			return err
		}
		managed := must(client.Certificate.CreateCertificate(ctx, hcloud.CertificateCreateOpts{
			Name: "go-managed", Type: hcloud.CertificateTypeManaged, DomainNames: []string{"www.go-managed.com"},
		}))
		var failed hcloud.ActionError
		err := client.Action.WaitFor(ctx, managed.Action)
		check(errors.As(err, &failed) && failed.Code == "dns_zone_not_found", "without a zone", err)
		zone := must(client.Zone.Create(ctx, hcloud.ZoneCreateOpts{Name: "go-managed.com", Mode: hcloud.ZoneModePrimary}))
		waitAll(zone.Action)
		wait(client.Certificate.RetryIssuance(ctx, managed.Certificate))
		issued := must(client.Certificate.GetByName(ctx, "go-managed"))
		check(issued.Status.Issuance == hcloud.CertificateStatusTypeCompleted && issued.Certificate != "", "issued", issued.Status)
		waitAll(must(client.Zone.Delete(ctx, zone.Zone)).Action)
		_, err = client.Certificate.Delete(ctx, issued)
		return err
	})
}

func balancers() {
	var balancer *hcloud.LoadBalancer
	again := func() *hcloud.LoadBalancer { return must(client.LoadBalancer.GetByID(ctx, balancer.ID)) }
	do("load balancers: made with a service and a target", func() error {
		server := must(client.Server.GetByName(ctx, "go-one"))
		made := must(client.LoadBalancer.Create(ctx, hcloud.LoadBalancerCreateOpts{
			Name: "go", LoadBalancerType: &hcloud.LoadBalancerType{Name: "lb11"}, Location: &hcloud.Location{Name: "fsn1"},
			Algorithm: &hcloud.LoadBalancerAlgorithm{Type: hcloud.LoadBalancerAlgorithmTypeRoundRobin},
			Services: []hcloud.LoadBalancerCreateOptsService{{
				Protocol: hcloud.LoadBalancerServiceProtocolTCP, ListenPort: hcloud.Ptr(6443), DestinationPort: hcloud.Ptr(6443),
				HealthCheck: &hcloud.LoadBalancerCreateOptsServiceHealthCheck{
					Protocol: hcloud.LoadBalancerServiceProtocolHTTP, Port: hcloud.Ptr(6443), Interval: hcloud.Ptr(3 * time.Second),
					Timeout: hcloud.Ptr(2 * time.Second), Retries: hcloud.Ptr(2),
					HTTP: &hcloud.LoadBalancerCreateOptsServiceHealthCheckHTTP{
						Path: hcloud.Ptr("/readyz"), StatusCodes: []string{"200", "401"}, TLS: hcloud.Ptr(true),
					},
				},
			}},
			Targets: []hcloud.LoadBalancerCreateOptsTarget{{
				Type: hcloud.LoadBalancerTargetTypeServer, Server: hcloud.LoadBalancerCreateOptsTargetServer{Server: server},
			}},
		}))
		waitAll(made.Action)
		balancer = must(client.LoadBalancer.GetByName(ctx, "go"))
		check(len(balancer.Services) == 1 && balancer.Services[0].HealthCheck.HTTP.TLS && balancer.PublicNet.IPv4.IP.To4() != nil, "made", balancer)
		check(len(balancer.Targets) == 1 && len(balancer.Targets[0].HealthStatus) == 1, "target", balancer.Targets)
		check(len(must(client.Server.GetByID(ctx, server.ID)).LoadBalancers) == 1, "shown on the server")
		return nil
	})
	do("load balancers: targets of every kind, services, algorithm, type, reverse DNS, metrics", func() error {
		wait(client.LoadBalancer.AddLabelSelectorTarget(ctx, balancer, hcloud.LoadBalancerAddLabelSelectorTargetOpts{Selector: "a"}))
		wait(client.LoadBalancer.AddIPTarget(ctx, balancer, hcloud.LoadBalancerAddIPTargetOpts{IP: net.ParseIP("192.0.2.7")}))
		check(len(again().Targets) == 3, "targets", again().Targets)
		wait(client.LoadBalancer.RemoveIPTarget(ctx, balancer, net.ParseIP("192.0.2.7")))
		wait(client.LoadBalancer.RemoveLabelSelectorTarget(ctx, balancer, "a"))
		wait(client.LoadBalancer.AddService(ctx, balancer, hcloud.LoadBalancerAddServiceOpts{
			Protocol: hcloud.LoadBalancerServiceProtocolHTTP, ListenPort: hcloud.Ptr(8080), DestinationPort: hcloud.Ptr(8080),
			HTTP: &hcloud.LoadBalancerAddServiceOptsHTTP{StickySessions: hcloud.Ptr(true), CookieName: hcloud.Ptr("GO"), CookieLifetime: hcloud.Ptr(time.Minute)},
		}))
		wait(client.LoadBalancer.UpdateService(ctx, balancer, 6443, hcloud.LoadBalancerUpdateServiceOpts{
			HealthCheck: &hcloud.LoadBalancerUpdateServiceOptsHealthCheck{Interval: hcloud.Ptr(15 * time.Second)},
		}))
		now := again()
		check(now.Services[0].HealthCheck.Interval == 15*time.Second && now.Services[0].HealthCheck.HTTP.Path == "/readyz", "patched", now.Services[0])
		check(now.Services[1].HTTP.StickySessions && now.Services[1].HTTP.CookieLifetime == time.Minute, "http", now.Services[1].HTTP)
		wait(client.LoadBalancer.DeleteService(ctx, balancer, 8080))
		wait(client.LoadBalancer.ChangeAlgorithm(ctx, balancer, hcloud.LoadBalancerChangeAlgorithmOpts{Type: hcloud.LoadBalancerAlgorithmTypeLeastConnections}))
		wait(client.LoadBalancer.ChangeType(ctx, balancer, hcloud.LoadBalancerChangeTypeOpts{LoadBalancerType: &hcloud.LoadBalancerType{Name: "lb21"}}))
		wait(client.LoadBalancer.ChangeDNSPtr(ctx, balancer, now.PublicNet.IPv4.IP.String(), hcloud.Ptr("lb.example.com")))
		now = again()
		check(now.LoadBalancerType.Name == "lb21" && now.PublicNet.IPv4.DNSPtr == "lb.example.com", "changed", now.PublicNet)
		_, _, err := client.LoadBalancer.GetMetrics(ctx, balancer, hcloud.LoadBalancerGetMetricsOpts{
			Types: []hcloud.LoadBalancerMetricType{hcloud.LoadBalancerMetricOpenConnections}, Start: time.Now().Add(-time.Hour), End: time.Now(), Step: 60,
		})
		return err
	})
	do("load balancers: a network, the public interface off and on, protected, deleted", func() error {
		network := must3(client.Network.All(ctx))[0]
		wait(client.LoadBalancer.AttachToNetwork(ctx, balancer, hcloud.LoadBalancerAttachToNetworkOpts{Network: network}))
		server := must(client.Server.GetByName(ctx, "go-one"))
		wait(client.LoadBalancer.RemoveServerTarget(ctx, balancer, server))
		wait(client.LoadBalancer.DisablePublicInterface(ctx, balancer))
		check(!again().PublicNet.Enabled && len(again().PrivateNet) == 1, "private only", again().PublicNet)
		_, _, err := client.LoadBalancer.AddServerTarget(ctx, balancer, hcloud.LoadBalancerAddServerTargetOpts{Server: server})
		check(hcloud.IsError(err, "load_balancer_public_interface_disabled"), "public target", err)
		wait(client.LoadBalancer.EnablePublicInterface(ctx, balancer))
		wait(client.LoadBalancer.DetachFromNetwork(ctx, balancer, hcloud.LoadBalancerDetachFromNetworkOpts{Network: network}))
		wait(client.LoadBalancer.ChangeProtection(ctx, balancer, hcloud.LoadBalancerChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
		_, err = client.LoadBalancer.Delete(ctx, balancer)
		check(refused(hcloud.ErrorCodeProtected, err) == nil, "protected", err)
		wait(client.LoadBalancer.ChangeProtection(ctx, balancer, hcloud.LoadBalancerChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
		must(client.LoadBalancer.Update(ctx, balancer, hcloud.LoadBalancerUpdateOpts{Name: "go-lb"}))
		_, err = client.LoadBalancer.Delete(ctx, balancer)
		return err
	})
}

func zones() {
	do("zones: made with record sets, records set, added, removed, protected, exported, imported, deleted", func() error {
		made := must(client.Zone.Create(ctx, hcloud.ZoneCreateOpts{Name: "go-example.com", Mode: hcloud.ZoneModePrimary, TTL: hcloud.Ptr(600)}))
		waitAll(made.Action)
		zone := must(client.Zone.Get(ctx, "go-example.com"))
		check(zone.TTL == 600 && len(zone.AuthoritativeNameservers.Assigned) == 3, "zone", zone)
		set := must(client.Zone.CreateRRSet(ctx, zone, hcloud.ZoneRRSetCreateOpts{
			Name: "api", Type: hcloud.ZoneRRSetTypeA, TTL: hcloud.Ptr(60), Records: []hcloud.ZoneRRSetRecord{{Value: "192.0.2.1", Comment: "one"}},
		}))
		waitAll(set.Action)
		rrset := must(client.Zone.GetRRSetByNameAndType(ctx, zone, "api", hcloud.ZoneRRSetTypeA))
		check(*rrset.TTL == 60 && rrset.Records[0].Comment == "one", "record set", rrset)
		wait(client.Zone.SetRRSetRecords(ctx, rrset, hcloud.ZoneRRSetSetRecordsOpts{Records: []hcloud.ZoneRRSetRecord{{Value: "192.0.2.2"}}}))
		wait(client.Zone.AddRRSetRecords(ctx, rrset, hcloud.ZoneRRSetAddRecordsOpts{Records: []hcloud.ZoneRRSetRecord{{Value: "192.0.2.3"}}}))
		wait(client.Zone.UpdateRRSetRecords(ctx, rrset, hcloud.ZoneRRSetUpdateRecordsOpts{Records: []hcloud.ZoneRRSetRecord{{Value: "192.0.2.3", Comment: "c"}}}))
		wait(client.Zone.RemoveRRSetRecords(ctx, rrset, hcloud.ZoneRRSetRemoveRecordsOpts{Records: []hcloud.ZoneRRSetRecord{{Value: "192.0.2.2"}}}))
		wait(client.Zone.ChangeRRSetTTL(ctx, rrset, hcloud.ZoneRRSetChangeTTLOpts{TTL: nil}))
		must(client.Zone.UpdateRRSet(ctx, rrset, hcloud.ZoneRRSetUpdateOpts{Labels: map[string]string{"by": "go"}}))
		wait(client.Zone.ChangeRRSetProtection(ctx, rrset, hcloud.ZoneRRSetChangeProtectionOpts{Change: hcloud.Ptr(true)}))
		_, _, err := client.Zone.DeleteRRSet(ctx, rrset)
		check(refused(hcloud.ErrorCodeProtected, err) == nil, "protected", err)
		wait(client.Zone.ChangeRRSetProtection(ctx, rrset, hcloud.ZoneRRSetChangeProtectionOpts{Change: hcloud.Ptr(false)}))
		check(len(must3(client.Zone.AllRRSets(ctx, zone))) == 3, "SOA, NS and A", must3(client.Zone.AllRRSets(ctx, zone)))
		file := must(client.Zone.ExportZonefile(ctx, zone)).Zonefile
		check(strings.Contains(file, "192.0.2.3"), "zone file", file)
		wait(client.Zone.ImportZonefile(ctx, zone, hcloud.ZoneImportZonefileOpts{Zonefile: file}))
		wait(client.Zone.ChangeTTL(ctx, zone, hcloud.ZoneChangeTTLOpts{TTL: 3600}))
		wait(client.Zone.ChangeProtection(ctx, zone, hcloud.ZoneChangeProtectionOpts{Delete: hcloud.Ptr(true)}))
		wait(client.Zone.ChangeProtection(ctx, zone, hcloud.ZoneChangeProtectionOpts{Delete: hcloud.Ptr(false)}))
		waitAll(must(client.Zone.DeleteRRSet(ctx, rrset)).Action)
		waitAll(must(client.Zone.Delete(ctx, zone)).Action)
		return nil
	})
}

func refusals() {
	do("refusals are the library's typed errors: unique names, bad input, what is not there, a token that is not one", func() error {
		_, _, err := client.Server.Create(ctx, hcloud.ServerCreateOpts{
			Name: "go-one", ServerType: &hcloud.ServerType{Name: "cx33"}, Image: &hcloud.Image{Name: "debian-12"},
		})
		check(refused(hcloud.ErrorCodeUniquenessError, err) == nil, "unique", err)
		_, _, err = client.Server.Create(ctx, hcloud.ServerCreateOpts{
			Name: "go-3", ServerType: &hcloud.ServerType{Name: "none"}, Image: &hcloud.Image{Name: "debian-12"},
		})
		var typed hcloud.Error
		check(errors.As(err, &typed) && typed.Code == hcloud.ErrorCodeInvalidInput, "invalid input", err)
		_, typedDetails := typed.Details.(hcloud.ErrorDetailsInvalidInput)
		check(typedDetails && typed.Response() != nil && typed.Response().Meta.Ratelimit.Limit > 0, "details and budget", typed.Details)
		_, _, err = client.FloatingIP.Assign(ctx, &hcloud.FloatingIP{ID: 1}, &hcloud.Server{ID: 1})
		check(refused(hcloud.ErrorCodeNotFound, err) == nil, "not found", err)
		other := hcloud.NewClient(hcloud.WithEndpoint(os.Getenv("HCLOUD_ENDPOINT")), hcloud.WithToken("not-a-token-of-this-project"))
		_, _, err = other.Server.GetByID(ctx, 1)
		return refused(hcloud.ErrorCodeUnauthorized, err)
	})
	do("pages: many items come through several pages, in order", func() error {
		var made []*hcloud.Firewall
		for n := range 7 {
			made = append(made, must(client.Firewall.Create(ctx, hcloud.FirewallCreateOpts{Name: fmt.Sprintf("page-%d", n)})).Firewall)
		}
		seen := 0
		for page := 1; page > 0; {
			list, response, err := client.Firewall.List(ctx, hcloud.FirewallListOpts{ListOpts: hcloud.ListOpts{Page: page, PerPage: 3}, Sort: []string{"id"}})
			if err != nil {
				return err
			}
			seen += len(list)
			check(response.Meta.Pagination.TotalEntries == 7 && response.Meta.Pagination.LastPage == 3, "meta", response.Meta.Pagination)
			page = response.Meta.Pagination.NextPage
		}
		check(seen == 7, "all", seen)
		for _, each := range made {
			if _, err := client.Firewall.Delete(ctx, each); err != nil {
				return err
			}
		}
		return nil
	})
	do("servers: shut down and deleted", func() error {
		server := must(client.Server.GetByName(ctx, "go-one"))
		wait(client.Server.Shutdown(ctx, server))
		removeServer(server)
		check(must(client.Server.GetByName(ctx, "go-one")) == nil, "gone")
		return nil
	})
}
