# SPDX-License-Identifier: MIT
foreach(lint IN ITEMS layering machines files diagnostics links images preload summary generated)
  bpfaot_script_test(lint_${lint} lint/${lint}.sh LABELS lint)
endforeach()
