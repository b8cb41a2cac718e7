import { AlarmType, type AlarmMember } from '../generated/etcd/rpc_pb.ts';
import { refuse } from './errors.ts';

/** An alarm of a single member closes the whole cluster: NOSPACE what would make it grow, CORRUPT every change. */
export function refuseWhenAlarmed(alarms: readonly AlarmMember[], what: 'grows' | 'changes'): void {
  const raised = (type: AlarmType): boolean => alarms.some(({ alarm }) => alarm === type);
  if (raised(AlarmType.CORRUPT)) throw refuse('corrupt');
  if (what === 'grows' && raised(AlarmType.NOSPACE)) throw refuse('noSpace');
}
