import { pick, type Random } from '../../src/base/random.ts';

const adjectives = [
  'amber',
  'brisk',
  'calm',
  'clear',
  'cobalt',
  'crisp',
  'deep',
  'early',
  'fair',
  'keen',
  'level',
  'lucid',
  'northern',
  'open',
  'quiet',
  'steady',
  'still',
  'tidal',
  'upper',
  'warm',
] as const;
const nouns = [
  'anchor',
  'bay',
  'beacon',
  'bollard',
  'buoy',
  'cove',
  'dock',
  'fjord',
  'haven',
  'heron',
  'islet',
  'jetty',
  'lagoon',
  'mooring',
  'pier',
  'quay',
  'reef',
  'sound',
  'strait',
  'wharf',
] as const;

/** A cluster name of its own for each lab, so that nothing can be written for one name. */
export const clusterName = (random: Random): string => `${pick(random, adjectives)}-${pick(random, nouns)}`;

/** 64 characters, as Hetzner's tokens have. */
export function token(random: Random): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length: 64 }, () => letters[Math.floor(random.next() * letters.length)]).join('');
}
