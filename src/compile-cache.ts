import module from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Keeps what V8 compiles beside the code it comes from, so that the next start need not compile it again: in a folder that only whoever may change the
 * code may write to. Where nobody may, as in the image, nothing is kept. Imported before any dependency.
 */
module.enableCompileCache(fileURLToPath(new URL('.compile-cache', import.meta.url)));
