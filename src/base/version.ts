/** The tool's version: what `fairlead --version` prints and every request carries. */
export const VERSION = '0.1.0';

/** The User-Agent of every request on every protocol; the lab tells fairlead's own calls by it. */
export const USER_AGENT = `fairlead/${VERSION}`;
