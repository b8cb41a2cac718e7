/** Files of this machine. Reading what is not there gives undefined; every other trouble is thrown. */
export interface Files {
  read(file: string): Promise<string | undefined>;
  /** Names in a folder, sorted; undefined when it is not there. */
  list(folder: string): Promise<readonly string[] | undefined>;
  /** Old content or new, never half of it. Makes the folder where it is missing. */
  write(file: string, content: string, mode: number): Promise<void>;
  append(file: string, line: string, mode: number): Promise<void>;
  makeFolder(folder: string, mode: number): Promise<void>;
}
