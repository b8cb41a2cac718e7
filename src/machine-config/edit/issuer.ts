import { isMap, isSeq } from 'yaml';
import { MachineConfigError } from '../error.ts';
import { placeOfSetting } from '../form.ts';
import { audiencesOf, type MachineConfig, parseMachineConfig, pinnedIssuer, refuseRedacted } from '../read.ts';
import { minorOf } from '../version.ts';
import { at, documentOf, legacyOf, parseSource } from './source.ts';
import { appendItems, type Finder, setScalar } from './splice.ts';

export interface IssuerPin {
  /** The exact string that living tokens carry; for a cluster never touched, the endpoint string of before the change. */
  readonly issuer: string;
  /** Audiences to accept besides; the issuer is always among them. */
  readonly audiences: readonly string[];
}

const ISSUER = 'service-account-issuer';
const AUDIENCES = 'api-audiences';
const LIST_SINCE = 13;

/** The arguments that say the pin where no list is wanted: single strings, which every Talos version takes. */
export function pinArguments({ issuer, audiences }: IssuerPin): {
  readonly [ISSUER]: string;
  readonly [AUDIENCES]: string;
} {
  return { [ISSUER]: issuer, [AUDIENCES]: [...new Set([issuer, ...audiences])].join(',') };
}

function refuseOther(config: MachineConfig, issuer: string): void {
  const { issuerArgument, serviceAccount } = config.issuer;
  const pinned = issuerArgument === undefined ? serviceAccount?.issuerURL : issuerArgument.value[0];
  if (issuerArgument === undefined && serviceAccount === undefined) return;
  if (pinned === issuer) return;
  const there = pinned === undefined || pinned === '' ? 'no issuer at all' : pinned;
  throw new MachineConfigError(
    'edit',
    `${issuer} cannot be pinned as the token issuer: the configuration already says ${there}`,
    issuerArgument?.position ?? serviceAccount?.position,
  );
}

function pinArgument(text: string, key: string, values: readonly string[], minor: number): string {
  const place = placeOfSetting(parseSource(text), 'extraArgs');
  const find: Finder = (source) => documentOf(source, place.kind) ?? legacyOf(source);
  const path = [...place.path, key];
  const node = at(find(parseSource(text)), ...path);
  if (isSeq(node) && minor >= LIST_SINCE) return appendItems(text, find, path, values);
  const old = isSeq(node) || isMap(node) ? undefined : at(find(parseSource(text)), ...path);
  if (isSeq(node) || isMap(node)) {
    throw new MachineConfigError(
      'type',
      `${key} is no single text, which is all that Talos before 1.13 takes`,
      find(parseSource(text)).positionOf(node),
    );
  }
  const before = old === undefined || old === null ? [] : argumentTexts(text, key);
  return setScalar(text, find, path, [...before, ...values].join(','));
}

function argumentTexts(text: string, key: string): readonly string[] {
  const { issuer } = parseMachineConfig(text);
  return (key === ISSUER ? issuer.issuerArgument : issuer.audiencesArgument)?.value ?? [];
}

/**
 * Writes the issuer of service-account tokens down, so that it stays when the endpoint changes, and the audiences to accept.
 *
 * - arguments of the API server (cluster.apiServer.extraArgs, or extraArgs of KubeAPIServerConfig) where nothing else says the
 *   issuer: single texts, which every Talos version takes; a list that is there (Talos 1.13+) stays a list;
 * - KubeServiceAccountConfig (Talos 1.14) has an issuer of its own already: it is left, only `accepted.audiences` is completed.
 *
 * An issuer that is pinned to something else is refused: which tokens live is not ours to decide. Control planes only.
 */
export function pinIssuer(text: string, pin: IssuerPin, version: string): string {
  const minor = minorOf(version);
  const config = parseMachineConfig(text);
  refuseRedacted(config);
  if (config.role === 'worker')
    throw new MachineConfigError('edit', 'a worker issues no tokens: there is nothing to pin');
  refuseOther(config, pin.issuer);
  const wanted = [...new Set([pin.issuer, ...pin.audiences])];
  const missing = wanted.filter((audience) => !audiencesOf(config).includes(audience));
  const byDocument = config.issuer.serviceAccount !== undefined;
  if (byDocument && config.issuer.audiencesArgument === undefined) {
    if (missing.length === 0) return text;
    const find: Finder = (source) => documentOf(source, 'KubeServiceAccountConfig') ?? legacyOf(source);
    // The list replaces the default, so the issuer must be in it.
    const listed = config.issuer.serviceAccount?.acceptedAudiences ?? [];
    return appendItems(
      text,
      find,
      ['accepted', 'audiences'],
      wanted.filter((audience) => !listed.includes(audience)),
    );
  }
  let edited = text;
  if (!byDocument && pinnedIssuer(config) === undefined) edited = pinArgument(edited, ISSUER, [pin.issuer], minor);
  const listed = config.issuer.audiencesArgument?.value ?? [];
  const absent = wanted.filter((audience) => !listed.includes(audience));
  return absent.length === 0 ? edited : pinArgument(edited, AUDIENCES, absent, minor);
}
