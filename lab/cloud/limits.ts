/** What this cloud does not do, for `lab info`. */
export const CLOUD_LIMITS: readonly string[] = [
  'Only the first network is carried: addresses in networks that are made later are known to the API, and no packet reaches them. In the first one a new server is reached before it is attached too, until it is detached.',
  'A Primary IP given to a machine leads to it, but the machine itself keeps telling the address it was made with.',
  'Placement groups are kept and answered, and change nothing; managed certificates are not issued.',
  'Of the catalogue, the ids of ash, hil and sin, of all server types but cx23, of ISOs, and prices but those of floating IPs and lb11 are made up.',
  'Zones are told apart without a list of public suffixes: a name needs two labels, and no zone may lie in another.',
  'There are no volumes, and metrics are empty. Images hold nothing (every machine boots Talos), no backup is made by itself, in the rescue system a machine refuses every connection, and nobody answers at a console.',
];
