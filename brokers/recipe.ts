import type { BrokerName } from './broker.ts'

export type Settings = Readonly<Record<string, string>>

/** All that is particular to one broker. The three ways know nothing else about it. */
export interface Recipe {
  readonly name: BrokerName
  readonly title: string
  /** The variable of the environment that holds a URL. */
  readonly variable: string
  readonly usualPort: number
  /** Ends it in order, its clients notwithstanding. */
  readonly stopSignal: NodeJS.Signals
  url(host: string, port: number): string
  /** Whether it serves requests at this moment, asked over a connection of its own. Rejects or answers false if not. */
  answers(host: string, port: number, signal: AbortSignal): Promise<boolean>
  /** Has it refuse what needs room, as a full one does, or accept it again. Absent: no client can. */
  setFull?(host: string, port: number, full: boolean, signal: AbortSignal): Promise<void>
  readonly container: ContainerRecipe
  readonly local: LocalRecipe
}

export interface ContainerRecipe {
  readonly image: string
  readonly port: number
  readonly environment: Settings
  command(settings: Settings): string[]
  /** A line of its log that says it is up. */
  readonly ready: RegExp
}

export interface LocalRecipe {
  /** Debian's packages that hold it, and the paths of its programs below their root: the first is what the others serve. */
  readonly packages: readonly string[]
  readonly programs: readonly string[]
  /** How a person gets the programs, one line each. */
  readonly install: readonly string[]
  /** The folder of its programs on this machine, if they are there and new enough. */
  find(): Promise<string | undefined>
  /** Whether its server refuses to run as root. */
  readonly unprivileged: boolean
  /** Makes the data, once, in an empty folder that belongs to it. */
  prepare(place: Place): Promise<void>
  command(place: Place, port: number, settings: Settings): string[]
  /** As the recipe's own, where only a program beside the server can. */
  setFull?(place: Place, full: boolean): Promise<void>
  /** Has one queue give no answer for so many ms. */
  stall?(place: Place, queue: string, ms: number): Promise<void>
  /** Ends it at once. */
  readonly endSignal: NodeJS.Signals
  /** Gives back what the system still keeps for a server that was killed, and no process holds. */
  discard?(data: string): void
}

/** Where one local broker lives. */
export interface Place {
  /** Folder of the programs. */
  readonly programs: string
  readonly data: string
  /** `data` is a disk of its own. */
  readonly hasDisk?: true
  /** Whom its processes run as; absent: as we do. */
  readonly account?: Account
}

export interface Account {
  readonly uid: number
  readonly gid: number
}
