/** RFC 3339 to the second, as the API writes it. */
export const time = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;
