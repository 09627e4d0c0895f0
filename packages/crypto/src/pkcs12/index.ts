export { derivePkcs12Key } from './derive-key.ts';
export { exportPkcs12, type Pkcs12Input } from './write.ts';
