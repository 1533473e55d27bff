/**
 * Packs an empty embedded database into dist/cluster.tar.gz, so that the first start of a control plane takes a second instead of five.
 *
 *   node scripts/build-cluster.ts    in `npm run build`, and before the tests: nothing is done when it is there and no package is newer
 */
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CLUSTER_IMAGE, writeClusterImage } from '../src/control/db/embedded-folder.ts'

const LOCK_FILE = join(dirname(import.meta.dirname), 'package-lock.json')

/** True when it was packed. */
export async function buildCluster(): Promise<boolean> {
  if (existsSync(CLUSTER_IMAGE) && statSync(CLUSTER_IMAGE).mtimeMs > statSync(LOCK_FILE).mtimeMs) return false
  mkdirSync(dirname(CLUSTER_IMAGE), { recursive: true })
  // Under another name until it is whole: a control plane may start meanwhile.
  const unfinished = `${CLUSTER_IMAGE}.${process.pid}`
  await writeClusterImage(unfinished)
  renameSync(unfinished, CLUSTER_IMAGE)
  return true
}

if (import.meta.main && (await buildCluster())) console.log('empty database packed')
