export const tell = (): void => console.log('planning');
