/* What the getters and the walk in steps share. */
#ifndef FLAGCORE_EVALUATE_H
#define FLAGCORE_EVALUATE_H

#include "internal.h"

/* Details of a walk's result, in the flag's own type; without a variant the value is all zeros. */
FcsDetails fcs_details_of(const FcProgram *flag, FcResult result);

#endif
