interface ImportMetaEnv {
  /** The address of the API, as in https://api.example.com/graphql, where it is not /graphql of the page's own origin. */
  readonly VITE_ENDPOINT?: string;
}
