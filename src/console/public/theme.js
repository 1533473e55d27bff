// The theme that this person chose, before the first paint. No choice: the system's, by `color-scheme` in tokens.css.
try {
  const theme = localStorage.getItem('fairlead-theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // A browser without storage gets the system's theme.
}
