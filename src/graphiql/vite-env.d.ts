// What Vite resolves and TypeScript does not know of.
declare module '*.graphql?raw' {
  const text: string;
  export default text;
}

declare module '*.css';
