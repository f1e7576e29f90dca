// Of Tabler's (Bootstrap's) components those that pages have: the whole is twice as large.
import "../node_modules/@tabler/core/js/src/bootstrap/alert.ts";
import "../node_modules/@tabler/core/js/src/bootstrap/collapse.ts";
import "../node_modules/@tabler/core/js/src/bootstrap/dropdown.ts";
import "../node_modules/@tabler/core/js/src/bootstrap/modal.ts";
import Tooltip from "../node_modules/@tabler/core/js/src/bootstrap/tooltip.ts";

window.tabler = { Tooltip };

import "./filters.js";
import "./palette.js";
import "./undo.js";
