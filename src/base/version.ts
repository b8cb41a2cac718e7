/** The version of this tool: in `--version`, and in the User-Agent of every request it sends. */
export const VERSION = '0.1.0';

/** The version of the formats it reads and writes: in fairlead.yaml and in every JSON document. */
export const API_VERSION = 'fairlead/v1alpha1';
