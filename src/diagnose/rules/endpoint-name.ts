import { leadsTo } from '../../model/endpoint.ts';
import { valueOf } from '../../model/fact.ts';
import { finding, type Rule } from '../rule.ts';

/** The endpoint's name leads to something other than the address: clients never meet what moves between the nodes. */
export const endpointNameElsewhere: Rule = ({ observation, ip }) => {
  const { endpointName } = observation;
  const addresses = endpointName === undefined ? undefined : valueOf(endpointName.addresses);
  if (endpointName === undefined || addresses === undefined || ip === undefined || leadsTo(addresses, ip)) return [];
  return [
    finding({
      id: 'endpoint-name-elsewhere',
      level: 'error',
      subject: endpointName.name,
      message: `The name ${endpointName.name} does not lead to ${ip} alone.`,
      evidence: [`DNS: ${endpointName.name} is ${addresses.join(', ') || 'nothing'}`],
      remedy: `Make ${ip} its only A record, without AAAA records, and wait until the old record's time to live has passed.`,
    }),
  ];
};
