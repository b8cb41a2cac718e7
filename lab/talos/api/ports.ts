/** apid: the Talos API. */
export const TALOS_API_PORT = 50_000;
/** trustd: certificates for workers. */
export const TRUSTD_PORT = 50_001;

/** What a session may hold: Node's own bound is below the size of one large message, and it resets the stream there. */
export const SESSION_MEMORY_MB = 128;
