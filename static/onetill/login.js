"use strict";
document.getElementById("login").requestSubmit();
