import { EXIT, Failure } from '../../../src/base/failure.ts';
import addressGivenBackIsAStrangers from './data/address-given-back-is-a-strangers.json' with { type: 'json' };
import addressOfAnotherProject from './data/address-of-another-project.json' with { type: 'json' };
import addressUnassignedInTheConsole from './data/address-unassigned-in-the-console.json' with { type: 'json' };
import assignIsLocked from './data/assign-is-locked.json' with { type: 'json' };
import assignedAndNothingMoves from './data/assigned-and-nothing-moves.json' with { type: 'json' };
import certificateNamesItOnOneNodeOnly from './data/certificate-names-it-on-one-node-only.json' with { type: 'json' };
import certificateWithoutTheAddress from './data/certificate-without-the-address.json' with { type: 'json' };
import configLargerThanUserData from './data/config-larger-than-user-data.json' with { type: 'json' };
import endpointStoredBeforeItAnswered from './data/endpoint-stored-before-it-answered.json' with { type: 'json' };
import endpointUrlWithoutPort from './data/endpoint-url-without-port.json' with { type: 'json' };
import etcdAdvertisesTheAddress from './data/etcd-advertises-the-address.json' with { type: 'json' };
import featureOnAndNothingHappened from './data/feature-on-and-nothing-happened.json' with { type: 'json' };
import firstNodeDeleted from './data/first-node-deleted.json' with { type: 'json' };
import holderHangs from './data/holder-hangs.json' with { type: 'json' };
import kubeconfigOfTheClusterBefore from './data/kubeconfig-of-the-cluster-before.json' with { type: 'json' };
import memberOfADeletedNode from './data/member-of-a-deleted-node.json' with { type: 'json' };
import namesakeOfAnotherOwner from './data/namesake-of-another-owner.json' with { type: 'json' };
import noRoomForOneMoreServer from './data/no-room-for-one-more-server.json' with { type: 'json' };
import nodeCallsItselfByTheAddress from './data/node-calls-itself-by-the-address.json' with { type: 'json' };
import oneOfTwoControlPlanesDies from './data/one-of-two-control-planes-dies.json' with { type: 'json' };
import requestBudgetUsedUp from './data/request-budget-used-up.json' with { type: 'json' };
import storedKubeconfigNamesANode from './data/stored-kubeconfig-names-a-node.json' with { type: 'json' };
import talosApiRefusedOnOne from './data/talos-api-refused-on-one.json' with { type: 'json' };
import talosconfigNamesAWorker from './data/talosconfig-names-a-worker.json' with { type: 'json' };
import talosconfigNamesTheAddress from './data/talosconfig-names-the-address.json' with { type: 'json' };
import talosconfigOfTheClusterBefore from './data/talosconfig-of-the-cluster-before.json' with { type: 'json' };
import terraformMovedTheAddress from './data/terraform-moved-the-address.json' with { type: 'json' };
import tokenRotatedInTheSecretStore from './data/token-rotated-in-the-secret-store.json' with { type: 'json' };
import tokenThatOnlyReads from './data/token-that-only-reads.json' with { type: 'json' };
import tokensRefusedAfterTheEndpointMoved from './data/tokens-refused-after-the-endpoint-moved.json' with { type: 'json' };
import twoFormsOfOneVip from './data/two-forms-of-one-vip.json' with { type: 'json' };
import twoMachinesOneHostname from './data/two-machines-one-hostname.json' with { type: 'json' };
import variableSetInNoPlace from './data/variable-set-in-no-place.json' with { type: 'json' };
import vipOnEth0 from './data/vip-on-eth0.json' with { type: 'json' };
import workerKeepsTheOldEndpoint from './data/worker-keeps-the-old-endpoint.json' with { type: 'json' };
import { type Incident, incidentSchema } from './types.ts';

const DATA: readonly unknown[] = [
  addressGivenBackIsAStrangers,
  addressOfAnotherProject,
  addressUnassignedInTheConsole,
  assignIsLocked,
  assignedAndNothingMoves,
  certificateNamesItOnOneNodeOnly,
  certificateWithoutTheAddress,
  configLargerThanUserData,
  endpointStoredBeforeItAnswered,
  endpointUrlWithoutPort,
  etcdAdvertisesTheAddress,
  featureOnAndNothingHappened,
  firstNodeDeleted,
  holderHangs,
  kubeconfigOfTheClusterBefore,
  memberOfADeletedNode,
  namesakeOfAnotherOwner,
  noRoomForOneMoreServer,
  nodeCallsItselfByTheAddress,
  oneOfTwoControlPlanesDies,
  requestBudgetUsedUp,
  storedKubeconfigNamesANode,
  talosApiRefusedOnOne,
  talosconfigNamesAWorker,
  talosconfigNamesTheAddress,
  talosconfigOfTheClusterBefore,
  terraformMovedTheAddress,
  tokenRotatedInTheSecretStore,
  tokenThatOnlyReads,
  tokensRefusedAfterTheEndpointMoved,
  twoFormsOfOneVip,
  twoMachinesOneHostname,
  variableSetInNoPlace,
  vipOnEth0,
  workerKeepsTheOldEndpoint,
];

/** Incidents that really happened, by name. */
export const listIncidents = (): readonly Incident[] => DATA.map((data) => incidentSchema.parse(data));

/** Throws a Failure that names those there are. */
export function incidentOf(name: string): Incident {
  const all = listIncidents();
  const found = all.find((incident) => incident.name === name);
  if (found !== undefined) return found;
  throw new Failure({
    code: 'lab-incident-unknown',
    exit: EXIT.usage,
    what: `There is no incident ${name}`,
    why: `those there are: ${all.map((incident) => incident.name).join(', ')}`,
    state: 'Nothing was changed.',
    next: 'See `fairlead lab incident list`.',
  });
}
