// The page's data, which what the report's charts share reads too.
let DATA = null;
