/**
 * Tells when something in a folder may have changed. Only a hint: what is there is always read from the folder itself.
 */
import { watch } from 'chokidar'

export interface FolderWatch {
  close(): Promise<void>
}

export type FolderWatchEvents = {
  /** Something moved, or the watch has just begun and may have missed what came before. */
  readonly onHint: () => void
  /** It will not tell any more: no watches left (ENOSPC, EMFILE), or the system has none here. */
  readonly onBroken: (error: unknown) => void
}

export type WatchFolder = (directory: string, events: FolderWatchEvents) => FolderWatch

/** A watch on the names in one folder, or on the way to it while it is not there. */
export const watchFolder: WatchFolder = (directory, { onHint, onBroken }) => {
  const watcher = watch(directory, {
    depth: 0,
    ignoreInitial: true,
    // A link may lead anywhere; what is behind it is none of the watch's business.
    followSymlinks: false,
    // Which writes belong together is decided in files-state.ts.
    atomic: false,
    ignorePermissionErrors: true,
  })
  watcher.on('all', onHint)
  // A few milliseconds earlier than the events above, which go through a look at the file first.
  watcher.on('raw', onHint)
  watcher.on('ready', onHint)
  watcher.on('error', onBroken)
  return { close: () => watcher.close() }
}
