/** apid: the Talos API. */
export const TALOS_API_PORT = 50_000;
/** trustd: certificates for workers. */
export const TRUSTD_PORT = 50_001;
